"""Answers do not depend on what an engine computes for padding, nor on how much of it there is.

Triton's C++ backends return rows as long as the request's rows came, padding included; our own
engine stage puts zeros there.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ernie_triton.decoders.entities import EntityDecoder, EntitySettings
from ernie_triton.decoders.spans import AnswerDecoder, AnswerSettings
from ernie_triton.tasks import NO_SPAN
from tests.decoders.windowed import cover, request_of

LABELS = ("O", "B-LOC", "I-LOC")
TEXTS = [(9, cover(9, 4, 1)), (2, cover(2, 4, 1)), (0, [(0, 0)])]
"""Windows of several lengths in one request, one of them without a token."""

Request = dict[str, npt.NDArray[Any]]


def with_junk(request: Request, outputs: tuple[str, ...], added: int) -> Request:
    """The same request, every place after a row's last special token filled with what is not."""
    tokens = request["spans"][:, :, 0] != NO_SPAN
    # One special token follows the text's own; a row without any has two.
    ends = [int(np.flatnonzero(row)[-1]) + 2 if row.any() else 2 for row in tokens]
    junk = dict(request)
    for name in outputs:
        values = request[name]
        longer = np.full((len(values), values.shape[1] + added, *values.shape[2:]), 1e4, np.float32)
        for row, end in enumerate(ends):
            longer[row, :end] = values[row, :end]
        junk[name] = longer
    return junk


@pytest.mark.parametrize("added", [0, 5])
def test_entities_are_those_of_the_real_tokens(added: int) -> None:
    rng = np.random.default_rng(4)
    request = request_of(
        TEXTS,
        lambda _, first, end: {"logits": rng.normal(size=(end - first + 2, 3)).astype(np.float32)},
    )
    settings = EntitySettings(task="token_cls", labels=3, per_token=True)
    decoder = EntityDecoder(settings.to_parameters(), LABELS)
    junk = with_junk(request, ("logits",), added)
    plain, padded = (decoder.run([decoder.read(one)])[0] for one in (request, junk))
    assert plain["tokens"].tolist() == padded["tokens"].tolist()
    assert plain["OUTPUT"].tolist() == padded["OUTPUT"].tolist()
    assert len(json.loads(plain["tokens"][0, 0])) == 9


@pytest.mark.parametrize("added", [0, 5])
@pytest.mark.parametrize("threshold", [math.inf, 0.0])
def test_answers_are_those_of_the_real_tokens(added: int, threshold: float) -> None:
    rng = np.random.default_rng(5)
    names = ("start_logits", "end_logits")
    request = request_of(
        TEXTS,
        lambda _, first, end: {
            name: rng.normal(size=end - first + 2).astype(np.float32) for name in names
        },
    )
    settings = AnswerSettings(
        task="qa", max_answer_tokens=5, n_best=9, no_answer_threshold=threshold
    )
    decoder = AnswerDecoder(settings.to_parameters(), ())
    junk = with_junk(request, names, added)
    plain, padded = (decoder.run([decoder.read(one)])[0] for one in (request, junk))
    assert {name: values.tolist() for name, values in plain.items()} == {
        name: values.tolist() for name, values in padded.items()
    }
    assert len(json.loads(plain["n_best"][0, 0])) == 9
