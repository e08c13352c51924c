"""A student's parts must fit; bigrams are spread evenly over the buckets."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from ernie_triton.build.model.encoder import Linear
from ernie_triton.build.model.slim import bigram_addends
from ernie_triton.errors import CheckpointError
from tests.build.slim_students import SHAPES, model_of, student


def linear(inputs: int, outputs: int) -> Linear:
    return Linear(
        weight=np.zeros((inputs, outputs), np.float32), bias=np.zeros(outputs, np.float32)
    )


@pytest.mark.parametrize(
    ("name", "kind", "features"),
    [("words", "bow", 8), ("bigrams", "bow", 8), ("windows", "cnn", 18), ("one window", "cnn", 4)],
)
def test_sizes_follow_from_the_arrays(name: str, kind: str, features: int) -> None:
    module = student(name)
    model = model_of(module)
    assert (model.kind, model.features, model.token_types) == (kind, features, 1)
    assert model.parameters == sum(weights.numel() for weights in module.parameters())
    pairs = model_of(student(name, pair=True))
    assert (pairs.features, pairs.token_types) == (4 * features, 2)


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        (
            "words",
            {"bigram": np.zeros((5, 7), np.float32)},
            r"bigram vectors \[5, 7\]; expected rows of one",
        ),
        ("windows", {"windows": (linear(8, 3), linear(8, 3))}, "window 2 reads 8 numbers"),
        ("windows", {"bigram": np.zeros((5, 8), np.float32)}, "either windows or bigrams"),
        ("words", {"pair": True}, "takes 8 features but the two texts of a row give 32"),
        ("words", {"pad_token_id": 60}, "pad_token_id is 60; expected one of the 60 tokens"),
    ],
)
def test_parts_that_do_not_fit_are_refused(name: str, change: dict[str, Any], fault: str) -> None:
    with pytest.raises(CheckpointError, match=fault):
        dataclasses.replace(model_of(student(name)), **change)


def test_every_shape_is_tested() -> None:
    assert {shape["kind"] for shape in SHAPES.values()} == {"bow", "cnn"}


def test_buckets_are_used_evenly_by_real_bigrams() -> None:
    tokens, buckets = 5000, 1024
    first, second = bigram_addends(tokens, buckets)
    assert min(first.min(), second.min()) == 0
    assert max(first.max(), second.max()) < buckets
    # Every pair out of 300 neighbouring ids, as the ideographs of a vocabulary are.
    some = np.arange(2000, 2300)
    found = (first[some][:, None] + second[some][None]) % buckets
    counts = np.bincount(found.ravel(), minlength=buckets)
    mean = len(some) ** 2 / buckets
    assert counts.min() > 0.5 * mean
    assert counts.max() < 1.6 * mean
    turned = found != found.T
    assert turned.mean() > 0.99
