"""`engine` builds the plans of a finished repository, from its own files, and once."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.build.tensorrt import plan as plan_module
from ernie_triton.build.tensorrt.plan import Machine, PlanRequest
from ernie_triton.build.tensorrt.plan_requests import UsualBatch, plan_requests
from ernie_triton.build.tensorrt.profiles import EngineShapes
from ernie_triton.cli import main
from ernie_triton.errors import PlanError
from ernie_triton.gpu.plans import PlanFacts, file_sha256
from ernie_triton.pipeline import TensorRtBuild
from tests.build.tensorrt.conftest import WriteGraph
from tests.gpu.fake_cuda import T4
from tests.gpu.plan_files import CONFIG, write_engine_stage, write_plan

MANIFEST = {
    "task": "seq_cls",
    "max_length": 96,
    "max_batch_size": 32,
    "engine": {"layout": "packed", "precision": "fp16"},
    "speed": {"mean_tokens": 21.4},
}


def write_pipeline(repository: Path, name: str, graph: Path, **changed: Any) -> Path:
    """A finished pipeline without its plan; the engine stage's version folder."""
    folder = write_engine_stage(repository, name)
    shutil.copyfile(graph, folder / "model.onnx")
    manifest = repository / name / "1" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({**MANIFEST, **changed}), encoding="utf-8")
    return folder


@pytest.fixture
def repository(tmp_path: Path, small_graph: WriteGraph) -> Path:
    write_pipeline(tmp_path, "news", small_graph("fp16", "packed"))
    return tmp_path


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[PlanRequest]:
    """The requests that reached the builder, on a machine with a T4 and TensorRT 10.4."""
    requests: list[PlanRequest] = []

    class Module:
        version = "10.4.0"

    def make(request: PlanRequest, machine: Machine, _step: Any) -> PlanFacts:
        requests.append(request)
        graph = request.graph.read_bytes()
        write_plan(request.folder, machine.gpu, graph_sha256=file_sha256(request.graph))
        request.graph.write_bytes(graph)
        facts = json.loads((request.folder / "model_sm75.json").read_text("utf-8"))
        return PlanFacts(**facts)

    here = Machine(tensorrt=Module(), gpu=T4, driver="560.35.03")  # type: ignore[arg-type]
    monkeypatch.setattr(plan_module, "this_machine", lambda **_: here)
    monkeypatch.setattr(plan_module, "make_plan", make)
    return requests


def engine(repository: Path, *options: str) -> int:
    return main(["engine", "--repository", str(repository), *options])


def test_a_plan_is_built_for_what_the_repository_says(
    repository: Path, built: list[PlanRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    assert engine(repository, "--builder-level", "4", "--memory-mib", "2048") == 0
    (request,) = built
    assert request.shapes == EngineShapes(
        layout="packed", max_rows=64, max_length=96, usual_rows=16, usual_tokens=21
    )
    assert request.precision == "fp16"
    assert request.settings == TensorRtBuild(builder_level=4, memory_mib=2048)
    output = capsys.readouterr().out
    assert "model_sm75.plan: TensorRT 10.4.0.26, Tesla T4 (compute capability 7.5)" in output


def test_a_plan_that_fits_is_left_alone_unless_forced(
    repository: Path, built: list[PlanRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    assert engine(repository) == 0
    assert engine(repository) == 0
    assert len(built) == 1
    output, errors = capsys.readouterr()
    assert "model_sm75.plan fits this machine; nothing to do" in output
    assert errors.count("has no plan for the Tesla T4") == 1
    assert engine(repository, "--force") == 0
    assert len(built) == 2


def test_a_plan_of_an_older_graph_is_built_again(
    repository: Path, built: list[PlanRequest], small_graph: WriteGraph
) -> None:
    assert engine(repository) == 0
    shutil.copyfile(small_graph("int8", "packed"), repository / "news_engine" / "1" / "model.onnx")
    assert engine(repository) == 0
    assert len(built) == 2


def test_every_pipeline_is_built_or_those_that_are_named(
    repository: Path, built: list[PlanRequest], small_graph: WriteGraph
) -> None:
    write_pipeline(repository, "pairs", small_graph("fp16", "packed"))
    assert engine(repository, "--name", "pairs", "--batch", "8", "--tokens", "40") == 0
    assert [request.folder.parent.name for request in built] == ["pairs_engine"]
    assert built[0].shapes.usual == (8, 40)
    assert engine(repository) == 0
    assert [request.folder.parent.name for request in built] == ["pairs_engine", "news_engine"]


def test_windows_are_usually_full(tmp_path: Path, small_graph: WriteGraph) -> None:
    write_pipeline(tmp_path, "answers", small_graph("fp16", "packed"), task="qa", max_length=384)
    ((_, request),) = plan_requests(tmp_path, (), TensorRtBuild(), UsualBatch())
    assert request.shapes.usual == (16, 384)


def test_a_manifest_without_a_speed_will_do(tmp_path: Path, small_graph: WriteGraph) -> None:
    write_pipeline(tmp_path, "news", small_graph("fp16", "packed"), speed=None)
    ((_, request),) = plan_requests(tmp_path, (), TensorRtBuild(), UsualBatch())
    assert request.shapes.usual == (16, 32)


def test_a_repository_without_tensorrt_says_how_to_build_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_engine_stage(tmp_path, "news", config=CONFIG.replace("tensorrt", "python"))
    assert engine(tmp_path) == 1
    errors = capsys.readouterr().err
    assert "has no pipeline with a TensorRT engine; build one with ernie-triton" in errors


@pytest.mark.parametrize(
    ("content", "reason"), [("", "JSONDecodeError"), ("{}", "KeyError"), ("[]", "TypeError")]
)
def test_a_manifest_that_cannot_be_used_is_told(
    repository: Path, content: str, reason: str
) -> None:
    (repository / "news" / "1" / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(PlanError, match=rf"cannot be used \({reason}.* rebuild the pipeline news"):
        list(plan_requests(repository, (), TensorRtBuild(), UsualBatch()))


def test_a_missing_graph_is_told(repository: Path) -> None:
    (repository / "news_engine" / "1" / "model.onnx").unlink()
    with pytest.raises(PlanError, match=r"model\.onnx is missing; rebuild the pipeline news"):
        list(plan_requests(repository, (), TensorRtBuild(), UsualBatch()))


def test_another_version_can_be_asked_for(repository: Path) -> None:
    with pytest.raises(PlanError, match="with a TensorRT engine of version 2; build one"):
        list(plan_requests(repository, (), TensorRtBuild(), UsualBatch(), 2))


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="it is there")
def test_a_machine_without_tensorrt_is_told_in_one_line(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert engine(repository) == 1
    assert capsys.readouterr().err == (
        "error: building a TensorRT plan needs the package 'tensorrt', which is not installed; "
        "run: pip install 'ernie-triton[tensorrt]'\n"
    )


def test_the_compile_check_takes_the_graphs_of_a_repository(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["check-engine", "--repository", str(repository), "--name", "news"]
    assert main([*command, "--target", "sm80"]) == 0
    assert capsys.readouterr().out.startswith("news for sm80: compiled in ")
