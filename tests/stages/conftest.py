"""A model's folder."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with version 1, which is empty."""
    (tmp_path / "1").mkdir()
    return tmp_path
