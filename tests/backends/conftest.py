"""Triton's Python module in place, and a model's folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends import fake_triton


@pytest.fixture(autouse=True)
def triton(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Triton's module in place while the stages are imported and used."""
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", fake_triton.as_module())
    monkeypatch.setattr(fake_triton.Logger, "errors", [])
    yield
    for name in [name for name in sys.modules if name.startswith("ernie_triton.backends.")]:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "1").mkdir()
    return tmp_path
