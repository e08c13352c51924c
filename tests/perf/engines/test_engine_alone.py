"""The engine of a built pipeline, found and run without a server."""

import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from ernie_triton.batch import TokenBatch
from ernie_triton.engines import Engine
from ernie_triton.errors import RepositoryError
from ernie_triton.model_shapes import POSITIONS, TOKEN_TYPES, VOCABULARY_SIZE, Shape
from ernie_triton.perf.engines.engine_alone import (
    cpu_us_of_text,
    load_pipeline_engine,
    median_run_us,
    pipeline_facts,
)
from ernie_triton.perf.engines.token_batches import token_batch
from tests.perf.conftest import Tiny


@pytest.fixture(scope="module")
def engine(tiny: Tiny) -> Engine:
    return load_pipeline_engine(tiny.repository, tiny.pipeline)


def test_it_is_the_pipelines_own_engine(tiny: Tiny, engine: Engine) -> None:
    """Against the graph as torch exported it, row by row."""
    batch = token_batch([9, 4, 17], vocabulary_size=VOCABULARY_SIZE, seed=3)
    session = onnxruntime.InferenceSession(
        tiny.checkpoint / "exported.onnx", providers=["CPUExecutionProvider"]
    )
    found = engine.run(batch)["logits"]
    for row, logits in enumerate(found):
        ids = batch.select(np.array([row])).input_ids[None].astype(np.int64)
        feed = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        np.testing.assert_allclose(logits, session.run(None, feed)[0][0], rtol=0, atol=1e-4)


def test_the_manifest_tells_shape_and_size(tiny: Tiny) -> None:
    facts = pipeline_facts(tiny.repository, tiny.pipeline)
    assert facts.shape == Shape(layers=1, hidden=48, heads=12, feed_forward=192)
    engine = tiny.repository / f"{tiny.pipeline}_engine" / "1"
    files = [path for path in engine.iterdir() if path.suffix in (".xml", ".bin")]
    assert facts.size_bytes == sum(path.stat().st_size for path in files)
    # The engine is for single texts of at most 128 tokens: it has no more positions, and no types.
    left_out = (POSITIONS - 128 + TOKEN_TYPES) * facts.shape.hidden
    weights = (facts.parameters - left_out) * 4
    assert weights < facts.size_bytes < weights * 1.1
    assert facts.size_bytes < facts.parameters * 4
    assert (facts.engine, facts.precision) == ("openvino", "fp32")


class Counting:
    """An engine that only counts the rows that it is given."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def run(self, batch: TokenBatch) -> dict[str, object]:
        self.rows.append(batch.rows)
        return {}


def test_batches_are_run_in_turn_until_the_time_is_over() -> None:
    counting = Counting()
    batches = [token_batch([2] * rows, vocabulary_size=10, seed=0) for rows in (1, 2, 3)]
    assert cpu_us_of_text(counting, batches, 0.0) > 0  # type: ignore[arg-type]
    assert counting.rows == [3, 1]
    cpu_us_of_text(counting, batches, 0.01)  # type: ignore[arg-type]
    assert counting.rows[3:7] == [1, 2, 3, 1]
    counting.rows.clear()
    median_run_us(counting, batches, 5)  # type: ignore[arg-type]
    assert counting.rows == [1, 2, 3, 1, 2]
    start = time.perf_counter()
    assert median_run_us(counting, batches, 2, pause_s=0.02) < 10_000  # type: ignore[arg-type]
    assert time.perf_counter() - start >= 0.04


def test_a_pipeline_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="name a pipeline of a repository"):
        load_pipeline_engine(tmp_path, "nothing")
    with pytest.raises(RepositoryError, match="cannot be read as a manifest"):
        pipeline_facts(tmp_path, "nothing")
