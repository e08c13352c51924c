"""Whole builds of lexical weights: texts in, and what FlagEmbedding's bge-m3 makes of them."""

from pathlib import Path

import pytest
import torch

from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import WantedHead
from ernie_triton.errors import CheckpointError
from tests.build.test_build_pieces import MAX_LENGTH, TEXT, answers, checkpoint, outputs_of
from tests.commands import Run

TEXTS = [TEXT, "重庆的火锅，重庆的小吃", "", "iPhone iPhone ㍿"]


def head(folder: Path, hidden: int = 24) -> torch.nn.Linear:
    """A head of random weights in the file that FlagEmbedding writes."""
    torch.manual_seed(1)
    linear = torch.nn.Linear(hidden, 1)
    torch.nn.init.normal_(linear.weight, std=2.0)
    torch.nn.init.constant_(linear.bias, 0.9)  # about half of the weights are above 0 then
    torch.save(linear.state_dict(), folder / "sparse_linear.pt")
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


def test_a_folder_without_the_head_or_with_another_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path, "vector")
    wanted = WantedHead(head="lexical")
    with pytest.raises(CheckpointError, match=r"sparse_linear.pt is missing, so the model weighs"):
        read_source(tmp_path, wanted)
    head(tmp_path, hidden=8)
    with pytest.raises(CheckpointError, match=r"\[1, 8\].*; expected .*\[1, 24\]"):
        read_source(tmp_path, wanted)
