"""Whole builds of tokens' weights and vectors: what FlagEmbedding's bge-m3 makes of texts."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError
from tests.build.test_build_pieces import MAX_LENGTH, TEXT, answers, checkpoint, outputs_of
from tests.commands import Run

TEXTS = [TEXT, "重庆的火锅，重庆的小吃", "", "iPhone iPhone ㍿"]


def head(folder: Path, hidden: int = 24, *, width: int = 1) -> torch.nn.Linear:
    """A head of random weights in the file that FlagEmbedding writes."""
    torch.manual_seed(1)
    linear = torch.nn.Linear(hidden, width)
    torch.nn.init.normal_(linear.weight, std=2.0)
    torch.nn.init.constant_(linear.bias, 0.9)  # about half of the weights are above 0 then
    name = "sparse_linear.pt" if width == 1 else "colbert_linear.pt"
    torch.save(linear.state_dict(), folder / name)
    return linear


def test_weights_are_those_of_flag_embedding(tmp_path: Path, run: Run) -> None:
    model, tokenizer = checkpoint(tmp_path / "c", "vector")
    linear = head(tmp_path / "c")
    found = answers(tmp_path / "c", run, "sparse", text=TEXTS)
    tokens = tokenizer(
        TEXTS, truncation=True, max_length=MAX_LENGTH, padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        weights = torch.relu(linear(outputs_of(model, tokens).last_hidden_state)).squeeze(-1)
    # `BGEM3FlagModel.encode`: no weight of these tokens, the largest of each other.
    unused = {getattr(tokenizer, f"{name}_token_id") for name in ("cls", "eos", "pad", "unk")}
    assert found["indices"].shape == found["values"].shape
    for row, ids in enumerate(tokens.input_ids.tolist()):
        expected: dict[int, float] = {}
        for token, weight in zip(ids, weights[row].tolist(), strict=True):
            if token not in unused and weight > expected.get(token, 0.0):
                expected[token] = weight
        kept = found["indices"][row] >= 0
        assert found["indices"][row][kept].tolist() == sorted(expected)
        assert found["values"][row][kept] == pytest.approx(
            [expected[token] for token in sorted(expected)], abs=1e-5
        )
        assert not found["values"][row][~kept].any()
    assert (found["indices"][0] >= 0).sum() > 5
    assert not (found["indices"][2] >= 0).any()


def test_token_vectors_are_those_of_flag_embedding(tmp_path: Path, run: Run) -> None:
    model, tokenizer = checkpoint(tmp_path / "c", "vector")
    linear = head(tmp_path / "c", width=10)
    found = answers(tmp_path / "c", run, "colbert", text=TEXTS)
    tokens = tokenizer(
        TEXTS, truncation=True, max_length=MAX_LENGTH, padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        hidden = outputs_of(model, tokens).last_hidden_state
    # `BGEM3FlagModel.encode`: the first token has no vector, padding none either.
    vectors = torch.nn.functional.normalize(linear(hidden[:, 1:]), dim=-1).detach().numpy()
    counts = tokens.attention_mask.sum(1).numpy() - 1
    assert found["count"].ravel().tolist() == counts.tolist()
    assert found["vectors"].shape == (len(TEXTS), counts.max(), 10)
    for row, count in enumerate(counts):
        assert found["vectors"][row, :count] == pytest.approx(vectors[row, :count], abs=1e-5)
        assert not found["vectors"][row, count:].any()


def test_token_vectors_of_a_sentence_transformers_folder_are_those_of_all_tokens(
    tmp_path: Path, run: Run
) -> None:
    folder = tmp_path / "c"
    model, tokenizer = checkpoint(folder, "vector")
    linear = dense_layer(folder, {"prompts": {"query": "问 ", "document": ""}})
    found = answers(folder, run, "colbert", text=TEXTS)
    tokens = tokenizer(
        TEXTS, truncation=True, max_length=MAX_LENGTH, padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        vectors = linear(outputs_of(model, tokens).last_hidden_state)
        vectors = torch.nn.functional.normalize(vectors, dim=-1).numpy()
    counts = tokens.attention_mask.sum(1).tolist()
    assert found["count"].ravel().tolist() == counts
    for row, count in enumerate(counts):
        assert found["vectors"][row, :count] == pytest.approx(vectors[row, :count], abs=1e-5)


def dense_layer(
    folder: Path, settings: dict[str, object], kind: str = "sentence_transformers.models"
) -> torch.nn.Linear:
    """The files of sentence-transformers and PyLate around an encoder, with random weights."""
    torch.manual_seed(2)
    linear = torch.nn.Linear(24, 10, bias=False)
    modules = [
        {"type": "sentence_transformers.models.Transformer", "path": ""},
        {"type": f"{kind}.Dense", "path": "1_Dense"},
    ]
    layer = {
        **{"in_features": 24, "out_features": 10, "bias": False},
        "activation_function": "torch.nn.modules.linear.Identity",
        "module_input_name": "token_embeddings",
    }
    (folder / "1_Dense").mkdir()
    for name, content in (
        ("modules.json", modules),
        ("config_sentence_transformers.json", settings),
        ("1_Dense/config.json", layer),
    ):
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    save_file({"linear.weight": linear.weight.detach()}, folder / "1_Dense/model.safetensors")
    return linear


def test_a_folder_that_reads_queries_otherwise_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path, "vector")
    plain: dict[str, object] = {"query_prefix": "", "document_prefix": "", "skiplist_words": []}
    settings: dict[str, object] = {**plain, "do_query_expansion": True, "truncate_dim": None}
    dense_layer(tmp_path, settings, "pylate.models.Dense")
    with pytest.raises(CheckpointError, match="do_query_expansion is True, as PyLate has it"):
        read_source(tmp_path)
    settings["do_query_expansion"] = False
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(settings))
    assert isinstance(read_source(tmp_path).model, Model)
    with pytest.raises(CheckpointError, match="a vector for each token; build it with --task colb"):
        read_source(tmp_path, WantedHead(head="vector"))


def test_a_folder_without_the_head_or_with_another_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path, "vector")
    wanted = WantedHead(head="lexical")
    with pytest.raises(CheckpointError, match=r"sparse_linear.pt is missing, so the model weighs"):
        read_source(tmp_path, wanted)
    head(tmp_path, hidden=8)
    with pytest.raises(CheckpointError, match=r"\[1, 8\].*; expected .*\[1, 24\]"):
        read_source(tmp_path, wanted)
    wanted = WantedHead(head="token_vector")
    with pytest.raises(CheckpointError, match=r"colbert_linear.pt is missing, so the model has no"):
        read_source(tmp_path, wanted)
    head(tmp_path, hidden=8, width=10)
    with pytest.raises(CheckpointError, match=r"\[10, 8\].*; expected .*\[10, 24\]"):
        read_source(tmp_path, wanted)
