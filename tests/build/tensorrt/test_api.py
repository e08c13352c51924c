"""Which TensorRT is taken, and what is said where there is none that can be."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
from types import SimpleNamespace
from typing import Any

import pytest

from ernie_triton.build.tensorrt import api
from ernie_triton.build.tensorrt.api import (
    BuilderSettings,
    TensorRt,
    load_rtx,
    load_tensorrt,
)
from ernie_triton.build.tensorrt.profiles import EngineShapes, profile_of
from ernie_triton.build.tensorrt.progress import progress_monitor
from ernie_triton.engines.tensorrt_module import message_log
from ernie_triton.errors import MissingExtraError, PlanError
from tests.build.tensorrt.conftest import WriteGraph


def install(monkeypatch: pytest.MonkeyPatch, name: str, version: str) -> None:
    """Let the module `name` be found, with this version."""
    module = SimpleNamespace(__version__=version, ILogger=type("ILogger", (), {"ERROR": 1}))
    frozen = HashableModule(module)
    spec = importlib.machinery.ModuleSpec(name, None)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda wanted: spec if wanted == name else None
    )
    monkeypatch.setattr(importlib, "import_module", lambda _: frozen)


class HashableModule:
    """Modules can be keys; namespaces cannot."""

    def __init__(self, content: SimpleNamespace) -> None:
        self.__dict__.update(vars(content))


@pytest.mark.parametrize("name", ["tensorrt", "tensorrt_bindings"])
@pytest.mark.parametrize("version", ["10.4.0", "10.16.1.11", "11.4.0.106"])
def test_the_package_and_the_bare_bindings_are_taken(
    monkeypatch: pytest.MonkeyPatch, name: str, version: str
) -> None:
    install(monkeypatch, name, version)
    assert load_tensorrt().version == version


@pytest.mark.parametrize("version", ["8.6.1", "10.3.0"])
def test_a_version_without_what_is_needed_is_refused(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    install(monkeypatch, "tensorrt", version)
    with pytest.raises(PlanError, match=rf"TensorRT {version} is too old; expected 10\.4"):
        load_tensorrt()


def test_a_package_without_its_libraries_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "tensorrt", "10.4.0")

    def fail(_name: str) -> Any:
        raise ImportError("libnvinfer.so.10: cannot open shared object file")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(PlanError, match=r"tensorrt cannot load TensorRT's libraries: libnvinfer"):
        load_tensorrt()


@pytest.mark.parametrize(
    ("load", "extra"), [(load_tensorrt, "tensorrt"), (load_rtx, "tensorrt-rtx")]
)
def test_a_missing_package_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, load: Any, extra: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'ernie-triton\[{extra}\]'"):
        load()


def test_errors_are_kept_and_forgotten_with_the_next_build(compiler: TensorRt) -> None:
    log = message_log(compiler.module)
    log.clear()
    severity = compiler.module.ILogger
    log.log(severity.WARNING, "a warning")
    assert compiler.last_error() == "it does not say why"
    for text in ("the  cause,\nin two lines", "a consequence"):
        log.log(severity.ERROR, text)
    assert compiler.last_error() == "the cause, in two lines; a consequence"
    log.clear()
    assert log.errors == []


def test_one_logger_serves_a_module_for_the_whole_process(compiler: TensorRt) -> None:
    assert message_log(compiler.module) is message_log(compiler.module)


def test_ctrl_c_ends_a_build_between_two_steps(
    compiler: TensorRt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = progress_monitor(compiler.module)
    monitor.phase_start("building", None, 3)
    assert monitor.step_complete("building", 0)

    class Interrupted(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise KeyboardInterrupt

    monkeypatch.setattr(monitor, "_bars", Interrupted())
    assert not monitor.step_complete("building", 1)
    assert monitor.is_cancelled


def test_progress_reaches_the_end_of_a_real_build(
    compiler: TensorRt, small_graph: WriteGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def watched(module: Any) -> Any:
        made.append(progress_monitor(module))
        return made[0]

    monkeypatch.setattr(api, "progress_monitor", watched)
    network = compiler.read_graph(small_graph("fp16", "padded"))
    load = EngineShapes(layout="padded", max_rows=4, max_length=16, usual_rows=2, usual_tokens=8)
    profile = profile_of(load, network.inputs)
    compiled = compiler.compile(network, profile, BuilderSettings(target="sm75"))
    assert compiled.plan
    assert made[0]._bars == {}
    assert not made[0].is_cancelled


def test_inputs_have_the_shapes_of_the_graph(compiler: TensorRt, small_graph: WriteGraph) -> None:
    packed = compiler.read_graph(small_graph("fp16", "packed"))
    assert packed.inputs == {"input_ids": (-1,), "lengths": (-1,), "width": (-1,)}
    padded = compiler.read_graph(small_graph("fp16", "padded"))
    assert padded.inputs == {"input_ids": (-1, -1)}


def test_no_input_of_a_packed_graph_decides_shapes_by_its_values(
    compiler: TensorRt, small_graph: WriteGraph
) -> None:
    # Triton's ragged batching fills execution tensors alone.
    network = compiler.read_graph(small_graph("fp16", "packed")).network
    tensors = [network.get_input(index) for index in range(network.num_inputs)]
    assert not any(tensor.is_shape_tensor for tensor in tensors)


def test_a_file_that_is_not_there_is_refused_by_the_parser(
    compiler: TensorRt, tmp_path: Any
) -> None:
    network = compiler.read_graph(tmp_path / "none.onnx")
    with pytest.raises(PlanError, match=r"cannot read .*none\.onnx"):
        compiler.compile(network, {}, BuilderSettings(target="sm75"))
