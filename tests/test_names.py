"""One name, one thing: no public name stands in two modules, but for those named here."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.paths import ROOT

ALLOWED = {
    # Every command's module has these two.
    "add_options",
    "run",
    # Programs of their own.
    "main",
    # Triton asks for this name in every model.
    "TritonPythonModel",
    # Every runtime's module has it, and so has every generator of samples.
    "load",
    "make_drawer",
}


def public_names(module: Path) -> Iterator[str]:
    """Yield the names that a module defines itself, at its top level."""
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def modules_by_name() -> dict[str, list[str]]:
    modules: dict[str, list[str]] = defaultdict(list)
    for folder in ("ernie_triton", "samples"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for name in set(public_names(path)):
                if not name.startswith("_"):
                    modules[name].append(str(path.relative_to(ROOT)))
    return modules


def test_no_public_name_stands_in_two_modules() -> None:
    doubles = {name: places for name, places in modules_by_name().items() if len(places) > 1}
    assert {name: doubles[name] for name in doubles.keys() - ALLOWED} == {}


def test_every_name_allowed_in_several_modules_stands_in_several() -> None:
    modules = modules_by_name()
    assert {name for name in ALLOWED if len(modules[name]) < 2} == set()
