import dataclasses
import json
import pickletools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file

from samples.cli import main
from samples.recipes import sample_recipe
from tests.reference_metrics import entities_of, entity_f1, pearson, spearman

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import ErnieForSequenceClassification, PreTrainedTokenizerBase

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SAMPLES = Path(__file__).parents[2] / "samples"
CHECKPOINTS = SAMPLES / "checkpoints"
TRANSFORMERS_FILES = {"config.json", "model.safetensors", "vocab.txt"}
PADDLE_FILES = {"config.json", "model_state.pdparams", "special_tokens_map.json", "vocab.txt"}
FILES = {
    "tnews": TRANSFORMERS_FILES,
    "afqmc": PADDLE_FILES,
    "msra_ner": TRANSFORMERS_FILES,
    "cmrc2018": PADDLE_FILES,
    "sentence_pairs": TRANSFORMERS_FILES | {"sparse_linear.pt", "colbert_linear.pt"},
    "multi_label": TRANSFORMERS_FILES,
    "similarity": TRANSFORMERS_FILES,
    "extraction": TRANSFORMERS_FILES,
    "choice": TRANSFORMERS_FILES,
    "cloze": TRANSFORMERS_FILES,
    "reviews": {"config.json", "model.safetensors", "tokenizer.json"},
}
ALL_TASKS = pytest.mark.parametrize("task", FILES)
# The figure that says most of a checkpoint, and the bounds that it must be within.
FIGURES = {
    "tnews": ("accuracy", 0.8, 1.0),
    "afqmc": ("accuracy", 0.9, 1.0),
    "msra_ner": ("f1", 0.85, 1.0),
    "cmrc2018": ("exact_match", 0.6, 1.0),
    "sentence_pairs": ("spearman", 0.75, 1.0),
    "multi_label": ("micro_f1", 0.8, 1.0),
    "similarity": ("spearman", 0.9, 1.0),
    "extraction": ("f1", 0.6, 1.0),
    "choice": ("accuracy", 0.6, 1.0),
    "cloze": ("accuracy", 0.8, 1.0),
    "reviews": ("accuracy", 0.78, 1.0),
}
# Of a checkpoint's folder, where it is not a megabyte.
MOST_BYTES = {
    "tnews": 2_000_000,
    "cmrc2018": 2_500_000,
    "msra_ner": 3_500_000,
    "reviews": 4_000_000,
}
# Written out by hand, apart from the names that `samples` itself goes by.
LAYER_MODULES = {
    "attention.self.query": "self_attn.q_proj",
    "attention.self.key": "self_attn.k_proj",
    "attention.self.value": "self_attn.v_proj",
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}


def paddle_state(folder: Path) -> dict[str, npt.NDArray[np.float16]]:
    state = np.load(folder / "model_state.pdparams", allow_pickle=True)
    assert set(state.pop("StructuredToParameterName@@")) == set(state)
    return dict(state)


def model_from_paddle(folder: Path) -> "ErnieForSequenceClassification":
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    state = paddle_state(folder)
    model: ErnieForSequenceClassification = transformers.ErnieForSequenceClassification(
        transformers.ErnieConfig(
            vocab_size=config["vocab_size"],
            hidden_size=config["hidden_size"],
            num_hidden_layers=config["num_hidden_layers"],
            num_attention_heads=config["num_attention_heads"],
            intermediate_size=config["intermediate_size"],
            max_position_embeddings=config["max_position_embeddings"],
            type_vocab_size=config["type_vocab_size"],
            use_task_id=config["use_task_id"],
            layer_norm_eps=config["layer_norm_eps"],
            num_labels=len(config["id2label"]),
        )
    )
    modules = dict(model.named_modules())
    linears = {"ernie.pooler.dense": "ernie.pooler.dense", "classifier": "classifier"}
    for layer in range(config["num_hidden_layers"]):
        for ours, theirs in LAYER_MODULES.items():
            linears[f"ernie.encoder.layer.{layer}.{ours}"] = (
                f"ernie.encoder.layers.{layer}.{theirs}"
            )
    linears["ernie.embeddings.LayerNorm"] = "ernie.embeddings.layer_norm"
    with torch.no_grad():
        for table in ("word", "position", "token_type"):
            name = f"ernie.embeddings.{table}_embeddings"
            modules[name].weight.copy_(torch.tensor(state.pop(f"{name}.weight")))
        for ours, theirs in linears.items():
            weight = torch.tensor(state.pop(f"{theirs}.weight"))
            linear = isinstance(modules[ours], torch.nn.Linear)
            modules[ours].weight.copy_(weight.T if linear else weight)
            modules[ours].bias.copy_(torch.tensor(state.pop(f"{theirs}.bias")))
    assert not state
    model.train(mode=False)
    return model


def accuracy(
    model: "ErnieForSequenceClassification",
    tokenizer: "PreTrainedTokenizerBase",
    texts: Sequence[list[str]],
    ids: list[int],
) -> float:
    hits = 0
    with torch.inference_mode():
        for start in range(0, len(ids), 50):
            columns = [column[start : start + 50] for column in texts]
            batch = tokenizer(*columns, padding=True, return_tensors="pt")
            predicted = model(**batch).logits.argmax(-1)
            hits += int((predicted == torch.tensor(ids[start : start + 50])).sum())
    return hits / len(ids)


def dev_records(task: str) -> list[dict[str, str]]:
    path = SAMPLES / "data" / task / "dev.json"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def recorded(task: str) -> dict[str, float]:
    loaded: dict[str, float] = json.loads(
        (CHECKPOINTS / task / "training.json").read_text(encoding="utf-8")
    )
    return loaded


@pytest.mark.parametrize("task", ["tnews", "reviews"])
def test_a_classifier_is_as_accurate_as_recorded(task: str) -> None:
    folder = str(CHECKPOINTS / task)
    model = transformers.ErnieForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    records = dev_records(task)
    ids = [model.config.label2id[record["label_desc"]] for record in records]
    texts = [[record["sentence"] for record in records]]
    measured = accuracy(model.float(), tokenizer, texts, ids)
    assert measured == pytest.approx(recorded(task)["dev_accuracy"], abs=1e-3)


def test_afqmc_checkpoint_is_as_accurate_as_recorded() -> None:
    folder = CHECKPOINTS / "afqmc"
    records = dev_records("afqmc")
    pairs = [[record[key] for record in records] for key in ("sentence1", "sentence2")]
    ids = [int(record["label"]) for record in records]
    tokenizer = transformers.BertTokenizer.from_pretrained(str(folder))
    measured = accuracy(model_from_paddle(folder), tokenizer, pairs, ids)
    assert measured == pytest.approx(recorded("afqmc")["dev_accuracy"], abs=1e-3)


@ALL_TASKS
def test_checkpoint_is_as_good_as_recorded(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    data = SAMPLES / "data" / task / "dev.json"
    command = ["evaluate", task, "--checkpoint", str(CHECKPOINTS / task), "--data", str(data)]
    assert main(command) == 0
    measured = json.loads(capsys.readouterr().out)
    known = {name for name in measured if f"dev_{name}" in recorded(task)}
    name, least, most = FIGURES[task]
    assert known >= {name, "lines"}
    for known_name in known:
        assert measured[known_name] == pytest.approx(recorded(task)[f"dev_{known_name}"], abs=3e-3)
    assert least < measured[name] < most


@ALL_TASKS
def test_checkpoint_is_complete_and_small(task: str) -> None:
    paths = list((CHECKPOINTS / task).iterdir())
    common = {"tokenizer_config.json", "training.json"}
    assert {path.name for path in paths} == FILES[task] | common
    assert sum(path.stat().st_size for path in paths) <= MOST_BYTES.get(task, 1_000_000)


# Some records are older than some keys of the recipes.
@pytest.mark.parametrize(
    ("task", "recipe"),
    [
        *((name, name) for name in ("tnews", "afqmc", "sentence_pairs", "multi_label")),
        *((name, name) for name in ("similarity", "extraction", "choice", "cloze", "reviews")),
        ("msra_ner", "entities"),
    ],
)
def test_the_recipe_is_what_made_the_checkpoint(task: str, recipe: str) -> None:
    record = json.loads((CHECKPOINTS / task / "training.json").read_text(encoding="utf-8"))
    today = dataclasses.asdict(sample_recipe(recipe))
    given = today.pop("schedule")
    made = json.loads(json.dumps(today))
    for part in ("model", "variation", "lessons"):
        known, current = record["recipe"].pop(part, None) or {}, made[part] or {}
        assert known.items() <= current.items()
    assert record["recipe"].items() <= made.items()
    chosen = {name: value for name, value in given.items() if value is not None}
    assert chosen.items() <= record["schedule"].items()


def test_the_record_of_a_distilled_checkpoint_tells_figures_and_size() -> None:
    record = json.loads((CHECKPOINTS / "reviews/training.json").read_text(encoding="utf-8"))
    figures = {
        f"{split}_{name}"
        for split in ("held_out", "dev")
        for name in ("accuracy", "macro_f1", "lines")
    }
    made = {"task", "train_lines", "parameters", "recipe", "schedule", "seed", "training_s"}
    assert set(record) == figures | made | {"versions"}
    assert record["held_out_lines"] > 1000
    weights = load_file(CHECKPOINTS / "reviews/model.safetensors")
    assert record["parameters"] == sum(array.size for array in weights.values())
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float16)}


@pytest.mark.parametrize("task", ["afqmc", "cmrc2018"])
def test_pickle_names_numpy_globals_only(task: str) -> None:
    content = (CHECKPOINTS / task / "model_state.pdparams").read_bytes()
    operations = list(pickletools.genops(content))
    assert operations[0][1] == 4
    strings = [arg for op, arg, _ in operations if op.name == "SHORT_BINUNICODE"]
    count = sum(op.name == "STACK_GLOBAL" for op, _, _ in operations)
    assert count == 3
    assert not [op.name for op, _, _ in operations if op.name in ("GLOBAL", "INST", "OBJ")]
    assert {"numpy.core.multiarray", "_reconstruct", "ndarray", "dtype"} <= set(strings)


def test_paddle_linears_are_stored_input_first() -> None:
    state = paddle_state(CHECKPOINTS / "afqmc")
    config = json.loads((CHECKPOINTS / "afqmc" / "config.json").read_text(encoding="utf-8"))
    sizes = (config["hidden_size"], config["intermediate_size"])
    assert state["ernie.encoder.layers.0.linear1.weight"].shape == sizes
    assert state["classifier.weight"].shape == (config["hidden_size"], 2)
    assert all(array.dtype == np.float16 and array.flags.c_contiguous for array in state.values())


@pytest.mark.parametrize(
    ("task", "architecture", "problem"),
    [
        ("msra_ner", "ErnieForTokenClassification", None),
        ("sentence_pairs", "ErnieModel", None),
        ("multi_label", "ErnieForSequenceClassification", "multi_label_classification"),
        ("similarity", "ErnieForSequenceClassification", "regression"),
        ("reviews", "ErnieForSequenceClassification", "single_label_classification"),
    ],
)
def test_config_says_what_the_model_is(task: str, architecture: str, problem: str | None) -> None:
    config = json.loads((CHECKPOINTS / task / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == [architecture]
    assert config.get("problem_type") == problem


# What PaddleNLP 2.8.1 writes for this class: one `classifier` with both outputs, a pooler that
# nothing reads, no names of labels.
def test_question_answering_is_written_as_paddlenlp_writes_it() -> None:
    state = paddle_state(CHECKPOINTS / "cmrc2018")
    config = json.loads((CHECKPOINTS / "cmrc2018" / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["ErnieForQuestionAnswering"]
    assert "id2label" not in config
    assert state["classifier.weight"].shape == (config["hidden_size"], 2)
    assert "ernie.pooler.dense.weight" in state


# The mean over the tokens of one text at a time, where no padding can enter; and the accuracy from
# the threshold that was chosen on these lines.
def test_embeddings_are_as_good_as_recorded_by_mean_vectors_one_by_one() -> None:
    folder = CHECKPOINTS / "sentence_pairs"
    model = transformers.ErnieModel.from_pretrained(str(folder)).eval()
    tokenizer = transformers.BertTokenizer.from_pretrained(str(folder))
    cosines, labels = [], []
    with torch.inference_mode():
        for record in dev_records("sentence_pairs"):
            first, second = (
                model(**tokenizer(record[key], return_tensors="pt"))[0][0].mean(0)
                for key in ("sentence1", "sentence2")
            )
            cosines.append(float(torch.nn.functional.cosine_similarity(first, second, dim=0)))
            labels.append(float(record["label"]))
    training = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    right = (np.array(cosines) >= training["dev_best_threshold"]) == np.array(labels)
    assert right.mean() == pytest.approx(training["dev_best_accuracy"], abs=6e-3)
    found = spearman(np.array(labels), np.array(cosines))
    assert found == pytest.approx(training["dev_spearman"], abs=3e-3)


# The formulas of FlagEmbedding, one text at a time; the figures by the tests' own code.
def test_weights_and_vectors_of_tokens_rank_as_well_as_recorded() -> None:
    folder = CHECKPOINTS / "sentence_pairs"
    model = transformers.ErnieModel.from_pretrained(str(folder)).eval()
    tokenizer = transformers.BertTokenizer.from_pretrained(str(folder))
    heads = {
        name: torch.load(folder / f"{name}_linear.pt", weights_only=True)
        for name in ("sparse", "colbert")
    }

    def parts(text: str) -> tuple[dict[int, float], "Tensor"]:
        tokens = tokenizer(text, return_tensors="pt")
        states = model(**tokens)[0][0]
        weights, vectors = (
            torch.nn.functional.linear(states, one["weight"].float(), one["bias"].float())
            for one in heads.values()
        )
        found: dict[int, float] = {}
        for token, weight in zip(tokens.input_ids[0].tolist(), weights[:, 0].tolist(), strict=True):
            if token not in tokenizer.all_special_ids:
                found[token] = max(found.get(token, 0.0), weight)
        return found, torch.nn.functional.normalize(vectors[1:], dim=-1)

    lines = (SAMPLES / "data" / "rankings.json").read_text(encoding="utf-8").splitlines()
    reciprocal = {"sparse": 0.0, "colbert": 0.0}
    with torch.inference_mode():
        for record in map(json.loads, lines):
            weights, vectors = parts(record["query"])
            documents = [parts(text) for text in (*record["positives"], *record["negatives"])]
            scores = {
                "sparse": [
                    sum(weight * other.get(token, 0.0) for token, weight in weights.items())
                    for other, _ in documents
                ],
                "colbert": [float((vectors @ other.T).amax(1).sum()) for _, other in documents],
            }
            for name, found in scores.items():
                order = np.argsort(-np.array(found), kind="stable")
                place = np.flatnonzero(order < len(record["positives"]))[0]
                reciprocal[name] += 1 / (place + 1) / len(lines)
    for name, value in reciprocal.items():
        assert value == pytest.approx(recorded("sentence_pairs")[f"{name}_mrr"], abs=3e-3)
        assert value > 0.6


def test_likeness_is_as_good_as_recorded() -> None:
    folder = CHECKPOINTS / "similarity"
    model = transformers.ErnieForSequenceClassification.from_pretrained(str(folder)).eval()
    tokenizer = transformers.BertTokenizer.from_pretrained(str(folder))
    records = dev_records("similarity")
    pairs = [[record[key] for record in records] for key in ("sentence1", "sentence2")]
    with torch.inference_mode():
        batch = tokenizer(*pairs, padding=True, return_tensors="pt")
        scores = model(**batch).logits[:, 0].double().numpy()
    wanted = np.array([float(record["score"]) for record in records])
    assert pearson(wanted, scores) == pytest.approx(recorded("similarity")["dev_pearson"], abs=3e-3)
    found = spearman(wanted, scores)
    assert found == pytest.approx(recorded("similarity")["dev_spearman"], abs=3e-3)


def test_questions_that_ask_the_same_come_first_as_often_as_recorded() -> None:
    folder = CHECKPOINTS / "similarity"
    model = transformers.ErnieForSequenceClassification.from_pretrained(str(folder)).eval()
    tokenizer = transformers.BertTokenizer.from_pretrained(str(folder))
    lines = (SAMPLES / "data" / "rankings.json").read_text(encoding="utf-8").splitlines()
    reciprocal = 0.0
    for record in map(json.loads, lines):
        documents = [*record["positives"], *record["negatives"]]
        queries = [record["query"]] * len(documents)
        with torch.inference_mode():
            batch = tokenizer(queries, documents, padding=True, return_tensors="pt")
            scores = model(**batch).logits[:, 0]
        fitting = scores[: len(record["positives"])].max()
        reciprocal += 1 / (1 + int((scores > fitting).sum())) / len(lines)
    assert reciprocal == pytest.approx(recorded("similarity")["rerank_mrr"], abs=3e-3)


# A word has the label of its first piece, and all its characters.
def test_entities_are_as_good_as_recorded() -> None:
    folder = CHECKPOINTS / "msra_ner"
    model = transformers.ErnieForTokenClassification.from_pretrained(str(folder)).eval()
    tokenizer = transformers.BertTokenizer.from_pretrained(str(folder))
    wanted, given = [], []
    with torch.inference_mode():
        for record in dev_records("msra_ner"):
            wanted.append(entities_of(record["labels"]))
            encoding = tokenizer("".join(record["tokens"]), return_tensors="pt")
            best = model(**encoding).logits[0].argmax(-1).tolist()
            words = [word for word in dict.fromkeys(encoding.word_ids()) if word is not None]
            spans = [encoding.word_to_chars(word) for word in words]
            names = [model.config.id2label[best[encoding.word_to_tokens(w)[0]]] for w in words]
            given.append(
                [
                    (kind, spans[first].start, spans[last].end - 1)
                    for kind, first, last in entities_of(names)
                ]
            )
    for name, value in entity_f1(wanted, given).items():
        assert value == pytest.approx(recorded("msra_ner")[f"dev_{name}"], abs=3e-3)


def test_topics_are_those_of_the_sigmoids_above_a_half() -> None:
    folder = CHECKPOINTS / "multi_label"
    model = transformers.ErnieForSequenceClassification.from_pretrained(str(folder)).eval()
    tokenizer = transformers.BertTokenizer.from_pretrained(str(folder))
    records = dev_records("multi_label")
    texts = [record["sentence"] for record in records]
    with torch.inference_mode():
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        scores = model(**batch).logits.sigmoid()
    exact = 0
    for record, row in zip(records, scores, strict=True):
        names = [model.config.id2label[int(index)] for index in (row > 0.5).nonzero()]
        exact += names == list(record["labels"])
    assert exact / len(records) == pytest.approx(recorded("multi_label")["dev_exact"], abs=3e-3)
