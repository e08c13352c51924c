"""Read a checkpoint of any format into a `Source`.

`read_source` recognises the format and calls its reader. `checkpoint` reads weights by name, from
the files that `weight_files` finds; `families` says what they mean, `state` makes the model.
`slim` reads students, `onnx_graph` an exported graph, which `paddle.export` converts first.
`settings`, `config_labels` and `labels` read the files beside the weights. A new format is one more
reader, called here.
"""

import dataclasses
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from ernie_triton.build.load.checkpoint import read_checkpoint
from ernie_triton.build.load.onnx_graph.model import model_from_onnx
from ernie_triton.build.load.paddle.export import is_paddle_export, onnx_from_paddle_export
from ernie_triton.build.load.sentence.model import (
    sentence_folder_of,
    wanted_of_folder,
    with_sentence_files,
)
from ernie_triton.build.load.settings import (
    CONFIG_FILES,
    folds_case,
    read_config,
    splits_ideographs,
    vocabulary_beside,
)
from ernie_triton.build.load.slim import is_slim_checkpoint, read_slim
from ernie_triton.build.load.source import Source, WantedHead
from ernie_triton.build.load.weight_files import find_weights, no_checkpoint_fault
from ernie_triton.build.model.heads import HEAD_NAMES, VectorHead
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError, OtherTaskError, UnrecognisedGraphError
from ernie_triton.lfs_pointer import pointer_fault


def read_source(path: Path, wanted: WantedHead | None = None) -> Source:
    """Read a checkpoint folder, a static export, or an ONNX file.

    Args:
        path: a folder, or one of the files in it. Weights are preferred to an export beside them.
        wanted: the head to read; None takes the one that the checkpoint names.

    Raises:
        CheckpointError: the path holds no known format, or a damaged file.
    """
    wanted = wanted or WantedHead()
    if not path.exists():
        raise CheckpointError(f"the checkpoint {path} does not exist")
    sentence = sentence_folder_of(path)
    if sentence is None:
        return with_sentence_files(_read(path, wanted), None, wanted)
    weights = sentence.transformer if path.is_dir() else path
    return with_sentence_files(_read(weights, wanted_of_folder(wanted, sentence)), sentence, wanted)


def _read(path: Path, wanted: WantedHead) -> Source:
    """Read the weights or the graph of a folder or file."""
    if path.is_dir() and is_slim_checkpoint(path):
        return read_slim(path, wanted)
    if found := find_weights(path):
        if is_slim_checkpoint(found.folder):
            return read_slim(found.folder, wanted)
        return read_checkpoint(found, wanted)
    if is_paddle_export(path):
        graph = onnx_from_paddle_export(path)
        return _from_graph("PaddleNLP static export", path, graph, wanted)
    if onnx_file := _onnx_file(path):
        return _from_graph("ONNX graph", path, _read_onnx(onnx_file), wanted)
    raise CheckpointError(no_checkpoint_fault(path))


def holds_weights(folder: Path) -> bool:
    """Return whether a folder holds the weights of a checkpoint, not only an export."""
    return find_weights(folder) is not None


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
    if fault := pointer_fault(path):
        raise CheckpointError(fault)
    try:
        graph = onnx.load(path)
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        raise CheckpointError(f"{path} is truncated or not an ONNX file: {error}") from error
    if not graph.graph.node:
        raise CheckpointError(f"{path} is truncated or not an ONNX file: its graph has no nodes")
    return graph


def _from_graph(kind: str, path: Path, graph: onnx.ModelProto, wanted: WantedHead) -> Source:
    folder = path if path.is_dir() else path.parent
    has_config = any((folder / name).is_file() for name in CONFIG_FILES)
    config = read_config(folder) if has_config else None
    model, reason = None, ""
    for head in (wanted.head,) if wanted.head else HEAD_NAMES.values():
        try:
            model, reason = _pooled(model_from_onnx(graph, head), wanted), ""
            break
        except OtherTaskError:
            if wanted.head:
                raise
        except UnrecognisedGraphError as error:
            reason = reason or str(error)
    return Source(
        kind=kind,
        path=path,
        model=model,
        graph=graph,
        unrecognised=reason,
        labels=config.labels if config else None,
        vocabulary=vocabulary_beside(folder),
        lower_case=folds_case(folder),
        tokenize_chinese_chars=splits_ideographs(folder),
        problem=config.problem if config else "",
    )


def _pooled(model: Model, wanted: WantedHead) -> Model:
    """Return the model with the wanted pooling in place of the first token's vector."""
    if not isinstance(model.head, VectorHead) or model.head.pooling != "cls":
        return model
    pooling = wanted.pooling or "cls"
    return dataclasses.replace(model, head=dataclasses.replace(model.head, pooling=pooling))
