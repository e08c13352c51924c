"""Reading a checkpoint, whatever its format, into a `Source`."""

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from build_scripts.load.onnx_graph import model_from_onnx
from build_scripts.load.paddle_checkpoint import WEIGHTS_FILE, read_paddlenlp
from build_scripts.load.paddle_export import is_paddle_export, onnx_from_paddle_export
from build_scripts.load.settings import CONFIG_FILES, folds_case, read_config, vocabulary_beside
from build_scripts.load.source import Source
from build_scripts.load.transformers_checkpoint import (
    SAFETENSORS_FILE,
    TORCH_FILE,
    read_transformers,
)
from ernie_triton.errors import CheckpointError, UnrecognisedGraphError

_CHECKPOINT_FILES = (SAFETENSORS_FILE, TORCH_FILE, WEIGHTS_FILE)


def read_source(path: Path) -> Source:
    """Read a checkpoint folder, a static export, or an ONNX file.

    Args:
        path: a folder, or one of the files in it. Weights that can be read directly are preferred
            to an export beside them.

    Raises:
        CheckpointError: the path holds nothing that is known, or something damaged.
    """
    if not path.exists():
        raise CheckpointError(f"the checkpoint {path} does not exist")
    if path.is_file() and path.name in _CHECKPOINT_FILES:
        path = path.parent
    if path.is_dir():
        if any((path / name).is_file() for name in (SAFETENSORS_FILE, TORCH_FILE)):
            return read_transformers(path)
        if (path / WEIGHTS_FILE).is_file():
            return read_paddlenlp(path)
    if is_paddle_export(path):
        graph = onnx_from_paddle_export(path)
        return _from_graph("PaddleNLP static export", path, graph)
    if onnx_file := _onnx_file(path):
        return _from_graph("ONNX graph", path, _read_onnx(onnx_file))
    raise CheckpointError(
        f"{path} holds no checkpoint: expected {', '.join(_CHECKPOINT_FILES)}, a Paddle static "
        f"export (*.pdmodel or *.json with *.pdiparams), or one *.onnx"
    )


def _onnx_file(path: Path) -> Path | None:
    if path.is_file():
        return path if path.suffix == ".onnx" else None
    files = sorted(path.glob("*.onnx"))
    if len(files) > 1:
        raise CheckpointError(
            f"{path} holds {len(files)} ONNX files ({', '.join(f.name for f in files)}); "
            f"name the one to build"
        )
    return files[0] if files else None


def _read_onnx(path: Path) -> onnx.ModelProto:
    try:
        graph = onnx.load(path)
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        raise CheckpointError(f"{path} is truncated or no ONNX file: {error}") from error
    if not graph.graph.node:
        raise CheckpointError(f"{path} is truncated or no ONNX file: its graph has no nodes")
    return graph


def _from_graph(kind: str, path: Path, graph: onnx.ModelProto) -> Source:
    folder = path if path.is_dir() else path.parent
    has_config = any((folder / name).is_file() for name in CONFIG_FILES)
    model, reason = None, ""
    try:
        model = model_from_onnx(graph)
    except UnrecognisedGraphError as error:
        reason = str(error)
    return Source(
        kind=kind,
        path=path,
        model=model,
        graph=graph,
        unrecognised=reason,
        labels=read_config(folder).labels if has_config else None,
        vocabulary=vocabulary_beside(folder),
        lower_case=folds_case(folder),
    )
