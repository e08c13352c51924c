"""Fixtures of whole builds: a model and its checkpoint."""

from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.build.load.exports import MaskFromIds, export
from tests.build.models import save_transformers


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, ernie: Any) -> Path:
    """The classifier in transformers' format; not to be changed."""
    return save_transformers(ernie, tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, ernie: Any) -> Path:
    """The classifier as an ONNX file with nothing beside it; not to be changed."""
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    onnx.save(export(MaskFromIds(ernie)), path)
    return path
