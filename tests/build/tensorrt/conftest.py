"""Graphs of a small model, written once, and the compiler that needs no GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from ernie_triton.build.tensorrt.api import TensorRt, load_rtx
from ernie_triton.build.tensorrt.random_graph import random_graph
from ernie_triton.model_shapes import Shape

SMALL = Shape(layers=2, hidden=64, heads=4, feed_forward=128)

WriteGraph = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def compiler() -> TensorRt:
    """TensorRT for RTX."""
    return load_rtx()


@pytest.fixture(scope="session")
def small_graph(tmp_path_factory: pytest.TempPathFactory) -> WriteGraph:
    """Writes the graph of a small classifier in a precision and a layout."""
    folder = tmp_path_factory.mktemp("graphs")

    def write(precision: str, layout: str) -> Path:
        path = folder / f"{precision}_{layout}.onnx"
        if not path.is_file():
            onnx.save(random_graph(SMALL, precision, layout, max_length=128), path)
        return path

    return write
