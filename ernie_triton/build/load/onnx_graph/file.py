"""The ONNX file of a checkpoint, and its graph with all weights."""

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from ernie_triton.errors import CheckpointError
from ernie_triton.lfs_pointer import pointer_fault

PLAIN_FILE = "model.onnx"
SUBFOLDER = "onnx"
"""The folder of graphs that optimum and sentence-transformers write beside the configuration."""


def find_onnx_file(path: Path) -> Path | None:
    """Return the ONNX file of a folder, or the file itself; None where there is none.

    Of several the plain `model.onnx` is taken, not an optimised or quantised one beside it.

    Raises:
        CheckpointError: there are several, and none has that name.
    """
    if path.is_file():
        return path if path.suffix == ".onnx" else None
    files = sorted(path.glob("*.onnx")) or sorted((path / SUBFOLDER).glob("*.onnx"))
    plain = [file for file in files if file.name == PLAIN_FILE]
    if len(files) > 1 and not plain:
        raise CheckpointError(
            f"{path} holds {len(files)} ONNX files "
            f"({', '.join(str(f.relative_to(path)) for f in files)}); name the one to build"
        )
    return next(iter(plain or files), None)


def folder_beside(file: Path, names: tuple[str, ...]) -> Path:
    """Return the folder of the files beside a graph: its own, or the one above `onnx/`."""
    own = file.parent
    is_below = own.name == SUBFOLDER and not any((own / name).is_file() for name in names)
    return own.parent if is_below else own


def read_onnx(path: Path) -> onnx.ModelProto:
    """Read a graph with its weights, also those in files of their own.

    Raises:
        CheckpointError: a file is damaged or missing.
    """
    if fault := pointer_fault(path):
        raise CheckpointError(fault)
    try:
        graph = onnx.load(path, load_external_data=False)
        _check_external_data(graph, path)
        load_external_data_for_model(graph, str(path.parent))
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path} is truncated or not an ONNX file: {reason}") from error
    if not graph.graph.node:
        raise CheckpointError(f"{path} is truncated or not an ONNX file: its graph has no nodes")
    return graph


def _check_external_data(graph: onnx.ModelProto, path: Path) -> None:
    for tensor in graph.graph.initializer:
        if not uses_external_data(tensor):
            continue
        for entry in tensor.external_data:
            if entry.key == "location" and not (path.parent / entry.value).is_file():
                raise CheckpointError(
                    f"{path} keeps its weights in {entry.value!r}, which is not beside it; copy "
                    f"that file there too"
                )
