"""A build without a named engine times those of a CPU, and takes the fastest."""

from pathlib import Path

import onnx
import pytest

from ernie_triton.build import flow
from ernie_triton.build.check.speed import EngineChoice
from ernie_triton.build.convert import engine_choice
from ernie_triton.build.convert.conversion import engine_of_graph
from ernie_triton.build.inputs import BuildInputs
from ernie_triton.engines import Engine
from ernie_triton.errors import EngineError
from tests.build.test_build import engine_settings, manifest_in
from tests.commands import Run

CHOOSING = engine_choice.with_engine_chosen


@pytest.fixture(autouse=True)
def _chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "with_engine_chosen", CHOOSING)


def arguments(checkpoint: Path, repository: Path, *options: str) -> tuple[object, ...]:
    where = ("--checkpoint", checkpoint, "--repository", repository)
    return ("build", *where, "--task", "seq_cls", "--threads", 1, *options)


def refuse(monkeypatch: pytest.MonkeyPatch, *engines: str) -> None:
    """Let the runtimes of these engines refuse every graph."""
    load = engine_of_graph

    def loaded(inputs: BuildInputs, graph: onnx.ModelProto, precision: str) -> Engine:
        if inputs.spec.engine in engines:
            raise EngineError(f"{inputs.spec.engine} cannot read the graph")
        return load(inputs, graph, precision)

    monkeypatch.setattr(engine_choice, "engine_of_graph", loaded)


def test_the_fastest_over_all_sizes_is_taken_and_told() -> None:
    choice = EngineChoice(
        speeds={"openvino": {1: 50.0, 32: 2000.0}, "onnxruntime": {1: 200.0, 32: 1000.0}},
        refused={"other": "it is not installed"},
    )
    assert choice.fastest == "onnxruntime"
    assert choice.sentence() == (
        "onnxruntime 200/1,000, openvino 50/2,000 texts/s at 1/32 rows; "
        "other left out: it is not installed"
    )


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_what_was_timed_stands_in_the_manifest(
    tmp_path: Path, checkpoint: Path, run: Run, precision: str
) -> None:
    options = ("--precision", precision, "--allowed-changes", "0.2", "--max-batch-size", "20")
    done = run(*arguments(checkpoint, tmp_path, *options))
    assert (done.code, done.other_lines) == (0, [])
    assert done.steps[:4] == ["read", "vocabulary", "graph", "choose"]
    made = manifest_in(tmp_path)
    speeds = made["choice"]["speeds"]
    assert {name: [*by_rows] for name, by_rows in speeds.items()} == {
        "openvino": ["1", "8", "20"],
        "onnxruntime": ["1", "8", "20"],
    }
    assert all(speed > 0 for by_rows in speeds.values() for speed in by_rows.values())
    choice = EngineChoice(
        speeds={
            name: {int(rows): speed for rows, speed in found.items()}
            for name, found in speeds.items()
        }
    )
    assert made["engine"]["engine"] == choice.fastest == engine_settings(tmp_path).engine
    assert f"chosen    {choice.sentence()}" in done.stdout


def test_an_engine_that_cannot_run_the_model_is_left_out(
    tmp_path: Path, checkpoint: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "openvino")
    assert run(*arguments(checkpoint, tmp_path)).code == 0
    made = manifest_in(tmp_path)
    assert made["engine"]["engine"] == "onnxruntime"
    assert made["choice"]["refused"] == {"openvino": "openvino cannot read the graph"}


def test_without_any_engine_the_first_one_says_why(
    tmp_path: Path, checkpoint: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "openvino", "onnxruntime")
    done = run(*arguments(checkpoint, tmp_path / "models"))
    assert done.code == 1
    assert done.other_lines == ["error: openvino cannot read the graph"]
    assert not [*tmp_path.rglob("*.onnx")]


@pytest.mark.parametrize(
    ("options", "engine"),
    [
        (("--precision", "bf16"), "openvino"),
        (("--precision", "fp16"), "onnxruntime"),
        (("--engine", "onnxruntime"), "onnxruntime"),
    ],
)
def test_one_candidate_is_not_timed(
    tmp_path: Path, checkpoint: Path, run: Run, options: tuple[str, str], engine: str
) -> None:
    done = run(*arguments(checkpoint, tmp_path, *options))
    assert (done.code, "choose" in done.steps) == (0, False)
    made = manifest_in(tmp_path)
    assert (made["engine"]["engine"], made["choice"]) == (engine, None)
