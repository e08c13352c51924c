"""Every runtime and layout computes the model's formulas, whatever shares the batch."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ernie_triton.batch import TokenBatch
from ernie_triton.build.convert.engine_file import adopt_graph, write_engine
from ernie_triton.build.model.models import Model, trim_model
from ernie_triton.engines import ENGINE_FILES, RUNTIMES, Engine, load_engine, thread_count
from ernie_triton.errors import EngineError, MissingExtraError
from ernie_triton.tasks import CPU_ENGINES, ENGINES, LAYOUTS, task_named
from tests.engines.tiny_model import (
    LABELS,
    POSITIONS,
    engine_settings,
    expected_logits,
    expected_outputs,
    random_batch,
    random_model,
    rows_of,
    write_tiny_engine,
)

EVERY_RUNTIME = pytest.mark.parametrize("name", CPU_ENGINES)
MIXED_LENGTHS = (2, 17, 9, 2, POSITIONS, 8, 3)
MANY_LENGTHS = tuple(np.random.default_rng(5).integers(2, POSITIONS + 1, 400).tolist())
"""More cells than one run may have."""


@pytest.fixture(scope="module")
def model() -> Model:
    return random_model()


@pytest.fixture(scope="module", params=[(e, layout) for e in RUNTIMES for layout in LAYOUTS])
def engine(
    request: pytest.FixtureRequest, model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Engine:
    settings = engine_settings(*request.param)
    folder = tmp_path_factory.mktemp("engine")
    write_tiny_engine(model, settings, folder)
    return load_engine(folder, settings)


@pytest.mark.parametrize("lengths", [(2,), (POSITIONS,), (5, 5, 5), MIXED_LENGTHS])
def test_logits_are_those_of_the_formulas(
    lengths: tuple[int, ...], engine: Engine, model: Model
) -> None:
    batch = random_batch(lengths)
    outputs = engine.run(batch)
    assert set(outputs) == {"logits"}
    assert outputs["logits"].dtype == np.float32
    assert outputs["logits"].shape == (len(lengths), LABELS)
    np.testing.assert_allclose(outputs["logits"], expected_logits(model, batch), atol=1e-5)


@EVERY_RUNTIME
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("pair", [False, True], ids=["single", "pair"])
@pytest.mark.parametrize("longest", [2, 8, 17, 31])
def test_a_model_fitted_to_short_rows_answers_as_the_whole_one(
    longest: int, pair: bool, layout: str, name: str, model: Model, tmp_path: Path
) -> None:
    """Rows that fill a batch up would be longer than these, were they as long as a step."""
    settings = dataclasses.replace(engine_settings(name, layout, pair=pair), max_length=longest)
    write_tiny_engine(trim_model(model, max_length=longest, pair=pair), settings, tmp_path)
    engine = load_engine(tmp_path, settings)
    assert ("token_type_ids" in engine.runtime.input_types) == pair
    for lengths in ((2,), (longest, 2, longest), (longest,) * 9):
        batch = random_batch(lengths)
        if not pair:
            batch = dataclasses.replace(batch, token_type_ids=np.zeros_like(batch.input_ids))
        logits = engine.run(batch)["logits"]
        np.testing.assert_allclose(logits, expected_logits(model, batch), atol=1e-5)


def test_every_row_of_a_batch_is_its_solo_answer(engine: Engine) -> None:
    batch = random_batch(MIXED_LENGTHS)
    together = engine.run(batch)["logits"]
    for row, (ids, types) in enumerate(rows_of(batch)):
        alone = TokenBatch(
            input_ids=ids, token_type_ids=types, lengths=np.array([len(ids)], np.int32)
        )
        np.testing.assert_allclose(engine.run(alone)["logits"][0], together[row], atol=1e-5)


def test_an_answer_stays_valid_after_the_next_run(engine: Engine) -> None:
    first = engine.run(random_batch((4, 9), seed=1))["logits"]
    kept = first.copy()
    engine.run(random_batch((4, 9), seed=2))
    np.testing.assert_array_equal(first, kept)


@EVERY_RUNTIME
@pytest.mark.parametrize("task", ["seq_cls", "token_cls", "qa", "embedding"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("lengths", [MIXED_LENGTHS, MANY_LENGTHS], ids=["one run", "several runs"])
def test_every_task_has_the_outputs_of_the_formulas_in_the_order_of_its_rows(
    lengths: tuple[int, ...], layout: str, task: str, name: str, tmp_path: Path
) -> None:
    model = random_model(task=task)
    settings = engine_settings(name, layout, task)
    write_tiny_engine(model, settings, tmp_path)
    batch = random_batch(lengths)
    engine = load_engine(tmp_path, settings)
    groups = list(batch.micro_batches(engine.runtime.most_cells))
    assert (len(groups) > 1) == (lengths is MANY_LENGTHS)
    made = engine.run(batch)
    expected = expected_outputs(model, batch)
    assert list(made) == [spec.name for spec in task_named(task).engine_outputs]
    for output, values in made.items():
        assert values.dtype == np.float32
        assert values.shape == expected[output].shape
        np.testing.assert_allclose(values, expected[output], atol=3e-5)


@EVERY_RUNTIME
def test_an_adopted_graph_gets_its_own_inputs_and_integer_type(name: str, tmp_path: Path) -> None:
    inputs = [
        helper.make_tensor_value_info(item, TensorProto.INT64, ["n", "length"])
        for item in ("input_ids", "attention_mask")
    ]
    nodes = [
        helper.make_node("Mul", ["input_ids", "attention_mask"], ["seen"]),
        helper.make_node("Concat", ["seen", "attention_mask"], ["both"], axis=1),
        helper.make_node("ReduceSum", ["both", "axis"], ["total"], keepdims=1),
        helper.make_node("Cast", ["total"], ["output_0"], to=TensorProto.FLOAT),
    ]
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    output = helper.make_tensor_value_info("output_0", TensorProto.FLOAT, ["n", 1])
    graph = helper.make_graph(nodes, "sums", inputs, [output], [axis])
    opsets = [helper.make_opsetid("", 17)]
    exported = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    write_engine(adopt_graph(exported, ("logits",)), name, tmp_path)
    adopted = load_engine(tmp_path, engine_settings(name, "padded"))
    assert set(adopted.runtime.input_types) == {"input_ids", "attention_mask"}
    batch = random_batch((3, 11))
    # Of each row, the sum of its ids and the number of its tokens.
    sums = [int(ids.sum()) + len(ids) for ids, _ in rows_of(batch)]
    assert adopted.run(batch)["logits"].tolist() == [[total] for total in sums]


@EVERY_RUNTIME
def test_a_missing_engine_is_named_with_what_to_do(name: str, tmp_path: Path) -> None:
    message = rf"the engine .*{ENGINE_FILES[name]} is missing; rebuild the pipeline"
    with pytest.raises(EngineError, match=message):
        load_engine(tmp_path, engine_settings(name))


@EVERY_RUNTIME
@pytest.mark.parametrize("content", [b"", b"not an engine", b"<net>"])
def test_a_damaged_engine_is_refused_by_its_path(content: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / ENGINE_FILES[name]
    path.write_bytes(content)
    with pytest.raises(EngineError, match=str(path)):
        load_engine(tmp_path, engine_settings(name))


@EVERY_RUNTIME
def test_a_truncated_engine_is_refused(name: str, model: Model, tmp_path: Path) -> None:
    settings = engine_settings(name)
    write_tiny_engine(model, settings, tmp_path)
    largest = max(tmp_path.iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])
    with pytest.raises(EngineError):
        load_engine(tmp_path, settings)


@EVERY_RUNTIME
def test_a_runtime_that_is_not_installed_is_named_with_its_extra(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ENGINE_FILES[name]).touch()
    monkeypatch.delitem(sys.modules, RUNTIMES[name], raising=False)
    monkeypatch.setitem(sys.modules, name, None)
    message = rf"engine {name} needs the package '{name}'.*ernie-triton\[backends\]"
    with pytest.raises(MissingExtraError, match=message):
        load_engine(tmp_path, engine_settings(name))


def test_every_engine_of_the_contract_has_a_runtime_and_a_file() -> None:
    assert set(RUNTIMES) == set(ENGINE_FILES) == set(ENGINES)


def test_threads_are_as_told_and_every_core_by_default() -> None:
    settings = engine_settings()
    assert thread_count(dataclasses.replace(settings, threads=5)) == 5
    automatic = thread_count(dataclasses.replace(settings, threads=0))
    assert automatic == len(os.sched_getaffinity(0))


def test_engine_files_are_valid_onnx(model: Model, tmp_path: Path) -> None:
    write_tiny_engine(model, engine_settings("onnxruntime"), tmp_path)
    onnx.checker.check_model(str(tmp_path / "model.onnx"), full_check=True)
