"""Imports go one way, and heavy packages stay where the design puts them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

# perf and build_scripts → clients → ernie_triton; samples train and demonstrate, from outside.
OURS = {
    "ernie_triton": {"ernie_triton"},
    # What was built is evaluated with the code that evaluates a server.
    "build_scripts": {"build_scripts", "clients", "ernie_triton"},
    "clients": {"clients", "ernie_triton"},
    "perf": {"perf", "clients", "ernie_triton"},
    "samples": {"samples", "build_scripts", "clients", "ernie_triton"},
}

# perf runs build_scripts as a program alone, so that this closes no circle: the report of a
# compression measures with perf's tools.
FURTHER = {"build_scripts/compression/report": {"perf"}}

# Where each of these packages may be imported: folders, or single modules.
ALLOWED = {
    "triton_python_backend_utils": {"ernie_triton/backends", "perf/baseline", "perf/floor/stages"},
    "torch": {"build_scripts", "samples"},
    "transformers": {"build_scripts", "samples"},
    "safetensors": {"build_scripts", "samples"},
    "paddle": {"build_scripts"},
    "paddlenlp": {"build_scripts"},
    "paddle2onnx": {"build_scripts"},
    "tensorrt": {"build_scripts/tensorrt"},
    "tensorrt_rtx": {"build_scripts/tensorrt"},
    "onnx": {"build_scripts"},
    "openvino": {
        "build_scripts",
        "ernie_triton/engines",
        "ernie_triton/perf/limits/matrix_products.py",
    },
    "onnxruntime": {"build_scripts", "ernie_triton/engines", "perf/baseline"},
    "tokenizers": {
        "ernie_triton/tokenizer/fallback.py",
        "ernie_triton/perf/tokenizer/measure.py",
        "perf/baseline",
    },
    "tritonclient": {"clients", "build_scripts/config"},
    "grpc": {"clients"},
    "pytriton": set(),
    "matplotlib": {"perf", "build_scripts/finetune", "build_scripts/compression"},
    "psutil": {"perf"},
}

MODULES = sorted(
    path.relative_to(ROOT)
    for folder in OURS
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)


def imported(module: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every module that a file imports, at any depth of it, with the names taken from it."""
    for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} has a relative import"
            yield str(node.module), tuple(alias.name for alias in node.names)


def packages(module: Path) -> set[str]:
    return {name.partition(".")[0] for name, _ in imported(module)}


def is_within(module: Path, places: set[str]) -> bool:
    return any(Path(place) in (module, *module.parents) for place in places)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_our_packages_import_one_way(module: Path) -> None:
    known = OURS.keys() | {"tests"}
    further = {one for place, ones in FURTHER.items() if is_within(module, {place}) for one in ones}
    assert packages(module) & known <= OURS[module.parts[0]] | further


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_a_heavy_package_is_imported_where_it_belongs(package: str) -> None:
    strays = [
        str(module)
        for module in MODULES
        if package in packages(module) and not is_within(module, ALLOWED[package])
    ]
    assert strays == []


def test_the_build_takes_nothing_but_the_configuration_message_from_tritonclient() -> None:
    modules = [module for module in MODULES if is_within(module, {"build_scripts/config"})]
    taken = {item for module in modules for item in imported(module) if "triton" in item[0]}
    wanted = {item for item in taken if item[0].startswith("tritonclient")}
    assert wanted == {("tritonclient.grpc", ("model_config_pb2",))}


def test_the_rules_see_the_imports_that_are_there() -> None:
    assert "triton_python_backend_utils" in packages(Path("ernie_triton/backends/triton_model.py"))
    assert "tritonclient" in packages(Path("ernie_triton/build/config/messages.py"))
    assert "tokenizers" in packages(Path("ernie_triton/tokenizer/fallback.py"))


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


@pytest.mark.parametrize("module", ["tasks", "pipeline", "decoders", "batch", "words", "errors"])
def test_importing_the_contract_costs_numpy_alone(module: str) -> None:
    assert newly_loaded(f"import ernie_triton.{module}") <= {"ernie_triton", "numpy", "tomli"}


@pytest.mark.parametrize("module", ["ernie_triton", "ernie_triton.cli"])
def test_importing_the_package_or_the_server_costs_the_standard_library_alone(module: str) -> None:
    assert newly_loaded(f"import {module}") == {"ernie_triton"}
