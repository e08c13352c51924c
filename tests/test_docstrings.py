"""Docstrings and help texts begin with a verb or a noun, never with a relative clause."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.paths import ROOT

FOLDERS = ("ernie_triton", "samples", "docker", "build_scripts", "clients", "perf")
RELATIVE = re.compile(r"(what|how|where|whether|which|why|that|who|whose|when|those)\b", re.I)


def texts(module: Path) -> Iterator[tuple[int, str]]:
    """Yield docstrings, also those below constants, and the help texts of options, with lines."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        value = None
        if isinstance(node, ast.Expr) or (
            isinstance(node, ast.keyword) and node.arg in ("help", "description")
        ):
            value = node.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.lineno, value.value


def test_no_docstring_or_help_begins_with_a_relative_clause() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, text in texts(path)
        if RELATIVE.match(text)
    ]
    assert found == []
