"""Whole builds of XLM-RoBERTa: texts in, and the answers that transformers computes of them."""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from ernie_triton.build.check.reference import model_outputs
from ernie_triton.build.load import read_source
from ernie_triton.build.model.models import Model
from ernie_triton.build.torch_models.checkpoints import load_model, save_model
from ernie_triton.stages.opening import JOINED_OF_TASK
from tests.build.config.configs import parameters_of, parsed
from tests.build.load.exports import HEADS, randomised
from tests.build.load.pieces.ernie_m_folders import PAIRS, paddle_folder
from tests.build.load.pieces.folders import document_folder, encoder_of
from tests.build.models import save_transformers
from tests.commands import Run
from tests.decoders.test_pointers import paddle_pairs

MAX_LENGTH = 24
TEXT = "北京的 涮肉①，resume\u0301 iPhone ㍿ 重庆的火锅，成都的小吃都是极具特色的美食。"
QUESTION = "哪里的涮肉?"
SIZES = {
    **{"vocab_size": 730, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3},
    **{"intermediate_size": 40, "max_position_embeddings": 34, "type_vocab_size": 1},
    **{"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "layer_norm_eps": 1e-5},
}
LABELS = ("O", "B-LOC", "I-LOC")
ERNIE_M_ANSWERS = Path(__file__).parent / "load/pieces/ernie_m_paddlenlp.json"


def checkpoint(folder: Path, head: str, **settings: Any) -> tuple[Any, Any]:
    """A checkpoint of random weights with its tokenizer; transformers' own of both."""
    torch.manual_seed(0)
    config = transformers.XLMRobertaConfig(**{**SIZES, **settings})
    model = randomised(getattr(transformers, f"XLMRoberta{HEADS[head]}")(config))
    save_transformers(model, folder)
    (folder / "vocab.txt").unlink(missing_ok=True)
    document_folder(folder)
    return model.eval(), transformers.AutoTokenizer.from_pretrained(folder)


def answers(folder: Path, run: Run, task: str, *options: object, **texts: Any) -> dict[str, Any]:
    """The answer of the joined stages that a build writes."""
    repository = folder.parent / "models"
    samples = folder.parent / "texts.tsv"
    samples.write_text(f"{QUESTION}\t{TEXT}\n北京\tiPhone\n", encoding="utf-8")
    where = ("--checkpoint", folder, "--repository", repository, "--name", "p", "--joined")
    how = ("--max-length", MAX_LENGTH, "--texts", samples, "--engine", "onnxruntime")
    done = run("build", "--task", task, *where, *how, *options)
    assert (done.code, done.other_lines) == (0, []), done.stderr
    config = parsed((repository / "p/config.pbtxt").read_text(encoding="utf-8"))
    stages = JOINED_OF_TASK.open(parameters_of(config), repository / "p/1")
    with contextlib.closing(stages):
        return dict(
            stages.answer(
                {
                    name: np.array([[one.encode() for one in row]], np.object_)
                    for name, row in texts.items()
                }
            )
        )


def outputs_of(model: Any, tokens: Any) -> Any:
    with torch.no_grad():
        return model(**{name: tokens[name] for name in ("input_ids", "attention_mask")})


def test_documents_are_scored_and_ordered(tmp_path: Path, run: Run) -> None:
    model, tokenizer = checkpoint(tmp_path / "c", "sequence", num_labels=1)
    documents = [TEXT, "成都的小吃", ""]
    found = answers(tmp_path / "c", run, "rerank", query=[QUESTION], documents=documents)
    tokens = tokenizer(
        [QUESTION] * 3,
        documents,
        truncation=True,
        max_length=MAX_LENGTH,
        padding=True,
        return_tensors="pt",
    )
    expected = torch.sigmoid(outputs_of(model, tokens).logits[:, 0]).numpy()
    np.testing.assert_allclose(found["scores"][0], expected, atol=1e-5)
    assert found["order"][0].tolist() == np.argsort(-expected).tolist()
    assert found["truncated"][0].tolist() == [True, False, False]


def test_vectors_are_those_of_e5(tmp_path: Path, run: Run) -> None:
    model, tokenizer = checkpoint(tmp_path / "c", "vector")
    how = ("--pooling", "mean", "--prompt", "query: ")
    found = answers(tmp_path / "c", run, "embedding", *how, text=[TEXT])
    tokens = tokenizer(
        f"query: {TEXT}", truncation=True, max_length=MAX_LENGTH, return_tensors="pt"
    )
    vector = outputs_of(model, tokens).last_hidden_state[0].numpy().mean(axis=0)
    expected = vector / np.linalg.norm(vector)
    np.testing.assert_allclose(found["embedding"][0], expected, atol=1e-5)


def test_labels_stand_in_their_places_of_the_text(tmp_path: Path, run: Run) -> None:
    labels = {"id2label": dict(enumerate(LABELS)), "num_labels": len(LABELS)}
    model, tokenizer = checkpoint(tmp_path / "c", "token", **labels)
    text = TEXT[:20]
    found = answers(tmp_path / "c", run, "token_cls", "--per-token", text=[text])
    tokens = tokenizer(text, return_offsets_mapping=True, return_tensors="pt")
    best = outputs_of(model, tokens).logits[0].argmax(-1).tolist()
    offsets = tokens.offset_mapping[0].tolist()
    decided = json.loads(found["tokens"].ravel()[0])
    assert [token["token"] for token in decided][:4] == ["北京", "的", "涮", "肉"]
    assert "resume\u0301" in [token["token"] for token in decided]
    for token in decided:
        first, last = token["pos"]
        assert token["token"] == text[first : last + 1]
        place = next(i for i, (start, end) in enumerate(offsets) if start <= first < end)
        assert token["label"] == LABELS[best[place]]


def test_an_answer_is_a_place_of_the_context(tmp_path: Path, run: Run) -> None:
    model, tokenizer = checkpoint(tmp_path / "c", "span")
    context = TEXT[:12]
    found = answers(tmp_path / "c", run, "qa", question=[QUESTION], context=[context])
    tokens = tokenizer(QUESTION, context, return_offsets_mapping=True, return_tensors="pt")
    outputs = outputs_of(model, tokens)
    places = [i for i, one in enumerate(tokens.sequence_ids(0)) if one == 1]
    start, end = (scores[0].numpy() for scores in (outputs.start_logits, outputs.end_logits))
    offsets = tokens.offset_mapping[0].tolist()
    first, last = max(
        ((i, j) for i in places for j in places if i <= j), key=lambda ij: start[ij[0]] + end[ij[1]]
    )
    expected = context[offsets[first][0] : offsets[last][1]].strip()
    assert found["answer"].ravel()[0].decode() == expected
    begin, stop = found["span"].ravel().tolist()
    assert context[begin:stop] == expected


def test_an_option_is_chosen_by_rows_of_transformers_recipes(tmp_path: Path, run: Run) -> None:
    model, tokenizer = checkpoint(tmp_path / "c", "choice")
    options = ["成都的小吃", "北京 iPhone", "①"]
    context = TEXT[:12]
    found = answers(
        tmp_path / "c", run, "choice", context=[context], question=[QUESTION], options=options
    )
    tokens = tokenizer(
        [context] * len(options),
        [f"{QUESTION} {option}" for option in options],
        truncation=True,
        max_length=MAX_LENGTH,
        padding=True,
        return_tensors="pt",
    )
    with torch.no_grad():
        expected = model(**{name: values[None] for name, values in tokens.items()}).logits[0]
    np.testing.assert_allclose(found["scores"][0], expected.numpy(), atol=1e-5)
    assert found["choice"].ravel().tolist() == [int(expected.argmax())]
    whole = [len(tokenizer(context, f"{QUESTION} {option}").input_ids) for option in options]
    assert found["truncated"][0].tolist() == [length > MAX_LENGTH for length in whole]
    assert len(set(found["truncated"][0].tolist())) == 2


def test_uie_m_finds_the_spans_of_paddlenlp_s_probabilities(tmp_path: Path, run: Run) -> None:
    folder = paddle_folder(tmp_path / "c", "pointer")
    encoder = encoder_of(folder)
    recorded = json.loads(ERNIE_M_ANSWERS.read_text(encoding="utf-8"))["pointer"]
    seen, least = 0, 0.18
    for (prompt, text), (starts, ends) in list(zip(PAIRS, recorded, strict=True))[:2]:
        schema = json.dumps([prompt], ensure_ascii=False)
        how = ("--max-length", 128, "--position-prob", least)
        found = answers(folder, run, "extraction", *how, text=[text], schema=[schema])
        prompted, tokens = encoder.tokens_with_spans([prompt, text])
        before = len(prompted.ids) + 3
        expected = {
            (tokens.spans[start - before, 0], tokens.spans[end - before, 1]): starts[start]
            * ends[end]
            for start, end in paddle_pairs(
                np.flatnonzero(np.array(starts) > least).tolist(),
                np.flatnonzero(np.array(ends) > least).tolist(),
            )
            if start >= before and end < len(starts) - 1
        }
        spans = json.loads(found["result"].ravel()[0]).get(prompt, [])
        assert {(one["start"], one["end"]) for one in spans} == expected.keys()
        seen += len(spans)
        for one in spans:
            assert one["text"] == text[one["start"] : one["end"]]
            assert abs(one["probability"] - expected[one["start"], one["end"]]) < 1e-4
    assert seen


def test_a_fine_tuned_model_keeps_its_tokenizer(tmp_path: Path) -> None:
    checkpoint(tmp_path / "c", "vector")
    model = load_model(tmp_path / "c", task="seq_cls", labels=("好", "坏"), seed=1)
    save_model(model, tmp_path / "tuned", tokenizer_from=tmp_path / "c")
    rows = encoder_of(tmp_path / "c", MAX_LENGTH).encode([TEXT])
    again = encoder_of(tmp_path / "tuned", MAX_LENGTH).encode([TEXT])
    assert again.input_ids.tolist() == rows.input_ids.tolist()
    source = read_source(tmp_path / "tuned").model
    assert isinstance(source, Model)
    with torch.no_grad():
        expected = model(torch.from_numpy(rows.input_ids[None].astype(np.int64))).logits[0].numpy()
    found = model_outputs(source, (rows.input_ids, rows.token_type_ids))["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
