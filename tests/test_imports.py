"""Imports go one way, and heavy packages stay in the rooms that need them."""

from __future__ import annotations

import ast
import functools
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

# A room imports rooms of earlier lines only; the contract is the modules at the package's root.
LAYERS = (
    ("contract",),
    ("gpu", "processes"),
    ("tokenizer", "engines", "decoders"),
    ("stages", "client", "server"),
    ("backends", "gateway"),
    ("build",),
    ("training", "bulk"),
    ("perf",),
)
ROOMS = [room for layer in LAYERS for room in layer if room != "contract"]

# The order that `ernie_triton.build` states: each imports those before it only.
BUILD = (
    *("progress", "whole_folder", "model", "load", "checkpoint_defaults", "graph", "torch_models"),
    *(
        "random_models",
        "tensorrt",
        "config",
        "check",
        "inputs",
        "convert",
        "publish",
        "flow",
        "commands",
    ),
)

# Where each of these packages may be imported: folders, or single modules.
_TORCH = {
    "samples",
    "ernie_triton/training",
    "ernie_triton/build/check",
    "ernie_triton/build/load",
    "ernie_triton/build/random_models",
    "ernie_triton/build/torch_models",
}
ALLOWED = {
    "triton_python_backend_utils": {
        "ernie_triton/backends",
        "ernie_triton/perf/baseline",
        "ernie_triton/perf/floor",
    },
    "torch": _TORCH | {"ernie_triton/perf/peers", "ernie_triton/perf/gpu"},
    "transformers": _TORCH | {"ernie_triton/perf/peers"},
    "safetensors": _TORCH,
    "onnxscript": {"ernie_triton/build/random_models"},
    "paddle": set(),
    "paddlenlp": {"ernie_triton/perf/others/taskflow.py"},
    "paddle2onnx": {"ernie_triton/build/load/paddle"},
    "tensorrt": {"ernie_triton/build/tensorrt"},
    "tensorrt_rtx": {"ernie_triton/build/tensorrt"},
    "onnx": {"ernie_triton/build", "ernie_triton/perf"},
    "openvino": {"ernie_triton/engines", "ernie_triton/build/convert", "ernie_triton/perf"},
    "onnxruntime": {
        "ernie_triton/engines",
        "ernie_triton/build",
        "ernie_triton/perf/baseline",
        "ernie_triton/perf/gpu",
        "ernie_triton/perf/peers",
    },
    "tokenizers": {
        "ernie_triton/build/load/pieces",
        "ernie_triton/tokenizer/document_texts.py",
        "ernie_triton/tokenizer/fallback.py",
        "ernie_triton/tokenizer/ruled.py",
        "ernie_triton/tokenizer/split_pieces.py",
        "ernie_triton/perf/tokenizer",
        "ernie_triton/perf/baseline",
        "ernie_triton/perf/peers",
        "samples/real",
        "samples/distillation",
    },
    "tritonclient": {
        "ernie_triton/client",
        "ernie_triton/build/config",
        "ernie_triton/server/control.py",
    },
    "grpc": {"ernie_triton/client"},
    "ray": {"ernie_triton/bulk/ray_parts.py"},
    "pytriton": set(),
    "matplotlib": {"ernie_triton/perf", "ernie_triton/training/finetune"},
    "prometheus_client": {
        "ernie_triton/server/telemetry/metrics_endpoint.py",
        "ernie_triton/gateway/metrics.py",
        "ernie_triton/gateway/serving/metrics_port.py",
    },
    "uvicorn": {"ernie_triton/gateway/serving", "ernie_triton/perf/peers"},
    "msgspec": {"ernie_triton/gateway"},
    "psutil": {"ernie_triton/perf"},
}


def modules_of(folder: str) -> list[Path]:
    found = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if "__pycache__" not in path.parts)


OURS = modules_of("ernie_triton")
SCRIPTS = [path for folder in ("build_scripts", "clients", "perf") for path in modules_of(folder)]
MODULES = [*OURS, *SCRIPTS, *modules_of("samples")]


@functools.cache
def imported(module: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Every module that a file imports, at any depth of it, with the names taken from it."""
    return tuple(_imported(module))


def _imported(module: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} has a relative import"
            yield str(node.module), tuple(alias.name for alias in node.names)


def imported_modules(module: Path) -> set[str]:
    """The same as full names: `from a import b` is `a.b` where that is a module, else `a`."""
    found = set()
    for name, taken in imported(module):
        folder = ROOT / name.replace(".", "/")
        inner = {
            one for one in taken if (folder / one).is_dir() or (folder / f"{one}.py").is_file()
        }
        found |= {f"{name}.{one}" for one in inner}
        if not taken or set(taken) - inner:
            found.add(name)
    return found


def packages(module: Path) -> set[str]:
    return {name.partition(".")[0] for name, _ in imported(module)}


def room_of(name: str) -> str:
    """The room of a module's name, `contract` for those at the root of the package."""
    part = [*name.split("."), ""][1]
    return part if part in ROOMS else "contract"


def is_within(module: Path, places: set[str]) -> bool:
    return any(Path(place) in (module, *module.parents) for place in places)


def test_every_folder_of_the_package_is_a_room() -> None:
    assert {path.parts[1] for path in OURS if len(path.parts) > 2} == set(ROOMS)


@pytest.mark.parametrize("module", OURS, ids=str)
def test_rooms_import_one_way(module: Path) -> None:
    room = room_of(".".join(module.with_suffix("").parts))
    place = next(place for place, layer in enumerate(LAYERS) if room in layer)
    earlier = {one for layer in LAYERS[:place] for one in layer}
    if room == "backends":
        earlier = {"contract", "stages"}
    names = {name for name in imported_modules(module) if name.partition(".")[0] == "ernie_triton"}
    assert {room_of(name) for name in names} <= {room} | (earlier - {"backends"})


@pytest.mark.parametrize("room", ROOMS)
def test_no_parts_of_a_room_import_each_other(room: str) -> None:
    parts = parts_imported(room)
    order = list(graphlib.TopologicalSorter(parts).static_order())
    assert set(order) >= parts.keys()


def test_the_parts_of_the_build_import_in_the_order_that_is_stated() -> None:
    parts = parts_imported("build")
    assert parts.keys() == set(BUILD)
    for place, part in enumerate(BUILD):
        assert parts[part] <= set(BUILD[:place]), part


def parts_imported(room: str) -> dict[str, set[str]]:
    """For each folder or module of a room those that it imports."""
    parts: dict[str, set[str]] = {}
    for module in modules_of(f"ernie_triton/{room}"):
        part = module.with_suffix("").parts[2]
        if part == "__init__":
            continue
        names = [name.split(".") for name in imported_modules(module)]
        used = {one[2] for one in names if one[:2] == ["ernie_triton", room] and len(one) > 2}
        parts.setdefault(part, set()).update(used - {part})
    return parts


@pytest.mark.parametrize("module", OURS, ids=str)
def test_the_package_imports_nothing_of_the_repository_around_it(module: Path) -> None:
    around = {"build_scripts", "clients", "perf", "samples", "tests", "docker"}
    assert packages(module) & around == set()


@pytest.mark.parametrize("module", SCRIPTS, ids=str)
def test_a_script_holds_no_code_of_its_own(module: Path) -> None:
    assert packages(module) <= {"sys", "ernie_triton"}


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_a_heavy_package_is_imported_where_it_belongs(package: str) -> None:
    strays = [
        str(module)
        for module in MODULES
        if package in packages(module) and not is_within(module, ALLOWED[package])
    ]
    assert strays == []


def test_the_build_takes_nothing_but_the_configuration_message_from_tritonclient() -> None:
    modules = modules_of("ernie_triton/build")
    taken = {item for module in modules for item in imported(module) if "tritonclient" in item[0]}
    assert taken == {("tritonclient.grpc", ("model_config_pb2",))}


def test_the_rules_see_the_imports_that_are_there() -> None:
    assert "triton_python_backend_utils" in packages(Path("ernie_triton/backends/triton_model.py"))
    assert "tritonclient" in packages(Path("ernie_triton/build/config/messages.py"))
    assert "tokenizers" in packages(Path("ernie_triton/tokenizer/fallback.py"))
    assert "publish" in parts_imported("build")["flow"]
    assert "ernie_triton.errors" in imported_modules(Path("ernie_triton/commands.py"))


def newly_loaded(statement: str) -> set[str]:
    """Packages outside the standard library that a statement loads in a new interpreter."""
    # Modules without a file are made by others at run time, as Cython's are by NumPy.
    program = (
        f"import sys; before = set(sys.modules); {statement}\n"
        "new = set(sys.modules) - before\n"
        "print(*(n.partition('.')[0] for n in new if getattr(sys.modules[n], '__file__', None)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    return set(done.stdout.split()) - set(sys.stdlib_module_names)


@pytest.mark.parametrize("module", ["tasks", "pipeline", "decoders", "batch", "settings", "errors"])
def test_importing_the_contract_costs_numpy_alone(module: str) -> None:
    assert newly_loaded(f"import ernie_triton.{module}") <= {"ernie_triton", "numpy", "tomli"}


@pytest.mark.parametrize("module", ["ernie_triton", "ernie_triton.cli"])
def test_importing_the_package_or_the_server_costs_the_standard_library_alone(module: str) -> None:
    assert newly_loaded(f"import {module}") == {"ernie_triton"}


def test_rooms_are_at_most_20_files_wide() -> None:
    package = ROOT / "ernie_triton"
    wide = {
        str(room.relative_to(ROOT)): count
        for room in (package, *(path for path in package.rglob("*") if path.is_dir()))
        if (count := len([path for path in room.glob("*.py") if path.stem != "__init__"])) > 20
    }
    assert wide == {}
