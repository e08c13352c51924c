"""A profile covers every batch that the tokenizer may emit, and is best at the usual one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.batch import TokenBatch
from ernie_triton.build.config import pipeline_configs
from ernie_triton.build.tensorrt.profiles import (
    EngineShapes,
    ShapeRange,
    pipeline_shapes,
    profile_of,
)
from ernie_triton.pipeline import Answering, Batching
from ernie_triton.tasks import TASKS
from tests.build.config.configs import in_containers, parameters_of
from tests.build.config.specs import LENGTHS, SIZES
from tests.build.models import spec_of

PACKED = {"input_ids": (-1,), "token_type_ids": (-1,), "lengths": (-1,), "width": (-1,)}
PADDED = {"input_ids": (-1, -1), "token_type_ids": (-1, -1)}


def load(layout: str, max_rows: int = 64, max_length: int = 128) -> EngineShapes:
    return EngineShapes(
        layout=layout, max_rows=max_rows, max_length=max_length, usual_rows=16, usual_tokens=32
    )


def test_a_packed_profile_counts_tokens_and_items() -> None:
    assert profile_of(load("packed"), PACKED) == {
        "input_ids": ShapeRange(least=(2,), usual=(512,), most=(8192,)),
        "token_type_ids": ShapeRange(least=(2,), usual=(512,), most=(8192,)),
        "lengths": ShapeRange(least=(1,), usual=(16,), most=(64,)),
        "width": ShapeRange(least=(2,), usual=(32,), most=(8192,)),
    }


def test_a_padded_profile_counts_rows_and_columns() -> None:
    wanted = ShapeRange(least=(1, 2), usual=(16, 128), most=(64, 128))
    assert profile_of(load("padded"), PADDED) == dict.fromkeys(PADDED, wanted)


def test_a_graph_with_an_attention_mask_gets_its_range_too() -> None:
    inputs = {**PADDED, "attention_mask": (-1, -1)}
    assert set(profile_of(load("padded"), inputs)) == set(inputs)


@given(
    max_rows=st.integers(1, 300),
    max_length=st.integers(2, 512),
    usual_rows=st.integers(0, 1000),
    usual_tokens=st.integers(0, 1000),
    layout=st.sampled_from(["packed", "padded"]),
)
def test_the_usual_shape_is_always_within_the_range(
    max_rows: int, max_length: int, usual_rows: int, usual_tokens: int, layout: str
) -> None:
    asked = EngineShapes(
        layout=layout,
        max_rows=max_rows,
        max_length=max_length,
        usual_rows=usual_rows,
        usual_tokens=usual_tokens,
    )
    for shapes in profile_of(asked, PACKED if layout == "packed" else PADDED).values():
        for least, usual, most in zip(shapes.least, shapes.usual, shapes.most, strict=True):
            assert 1 <= least <= usual <= most


def batch_of(lengths: list[int]) -> TokenBatch:
    tokens = np.zeros(sum(lengths), np.int32)
    return TokenBatch(input_ids=tokens, token_type_ids=tokens, lengths=np.array(lengths, np.int32))


@given(st.lists(st.integers(2, 128), min_size=1, max_size=64))
def test_every_batch_of_allowed_rows_is_covered(lengths: list[int]) -> None:
    batch = batch_of(lengths)
    feeds = (("packed", PACKED, batch.packed()), ("padded", PADDED, batch.padded(0, 128)))
    for layout, inputs, feed in feeds:
        for name, shapes in profile_of(load(layout), inputs).items():
            ranges = zip(shapes.least, feed[name].shape, shapes.most, strict=True)
            assert all(least <= size <= most for least, size, most in ranges)


@pytest.mark.parametrize(
    ("task", "precision", "layout"),
    list(itertools.product(TASKS, ("fp16", "int8"), ("packed", "padded"))),
)
def test_every_tasks_largest_and_smallest_request_is_covered(
    task: str, precision: str, layout: str
) -> None:
    spec = spec_of(
        task=task,
        engine="tensorrt",
        precision=precision,
        layout=layout,
        max_length=64,
        batching=Batching(max_batch_size=4),
        answering=Answering(max_windows=20),
    )
    rows = 20 if TASKS[task].has_windows else 256 if TASKS[task].list_input else 4
    rows = 64 if TASKS[task].head == "masked" else rows
    profile = profile_of(pipeline_shapes(spec), PACKED if layout == "packed" else PADDED)
    if layout == "packed":
        assert profile["lengths"].most == (rows,)
        assert profile["input_ids"].most == (rows * 64,)
    else:
        assert profile["input_ids"].most == (rows, 64)


def test_windows_are_usually_full() -> None:
    assert pipeline_shapes(spec_of(task="qa", max_length=384)).usual == (16, 384)
    assert pipeline_shapes(spec_of(task="seq_cls")).usual == (16, 32)
    assert pipeline_shapes(spec_of(task="seq_cls"), rows=8, tokens=20).usual == (8, 20)


@pytest.mark.parametrize("tokens", [0, 20])
def test_padded_rows_are_always_full(tokens: int) -> None:
    # As the tokenizer stage pads the rows of every GPU engine, however long the texts are.
    spec = spec_of(engine="tensorrt", device="gpu", layout="padded", max_length=96)
    configs = in_containers(pipeline_configs(spec, SIZES, LENGTHS))
    parameters = parameters_of(configs[spec.stage("tokenizer")])
    assert parameters["length_bucket"] == "96"
    assert pipeline_shapes(spec, rows=4, tokens=tokens).usual == (4, 96)
