"""The tokenizer stage of an engine that Triton's own batcher feeds: rows of few lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ernie_triton.settings import TokenizerSettings
from tests.backends.calls import execute, opened, texts

MAX_LENGTH = 21


@pytest.mark.parametrize("task", ["seq_cls", "token_cls"])
def test_rows_are_padded_to_a_bucket_within_the_longest(
    folder: Path, paddle_vocab: Path, task: str
) -> None:
    from ernie_triton.backends.tokenizer import TritonPythonModel

    (folder / "1" / "vocab.txt").write_bytes(paddle_vocab.read_bytes())
    requests = [
        {"text": texts("北京", "好" * 5)},
        {"text": texts("美" * 7)},
        {"text": texts("美" * 19)},
    ]
    answers = {}
    for bucket in (1, 8):
        settings = TokenizerSettings(
            task=task,
            pair=False,
            max_length=MAX_LENGTH,
            lower_case=True,
            overlap=2,
            max_windows=9,
            length_bucket=bucket,
        )
        stage = opened(TritonPythonModel(), settings, folder)
        answers[bucket] = [response.tensors() for response in execute(stage, requests)]
    lengths = [answer["input_ids"].shape[1] for answer in answers[1]]
    assert lengths == [7, 9, 21]
    assert [answer["input_ids"].shape[1] for answer in answers[8]] == [8, 16, 21]
    for plain, padded, length in zip(answers[1], answers[8], lengths, strict=True):
        assert plain.keys() == padded.keys()
        for name, values in plain.items():
            kept = padded[name][:, :length] if name == "input_ids" else padded[name]
            np.testing.assert_array_equal(kept, values)
        assert (padded["input_ids"][:, length:] == 0).all()  # [PAD] of this vocabulary
