"""Read a checkpoint of any format into a `Source`.

`read_source` recognises the format and calls its reader. `checkpoint` reads weights by name, from
the files that `weight_files` finds; `families` says what they mean, `state` makes the model.
`slim` reads students, `onnx_graph` an exported graph, which `paddle.export` converts first.
`settings`, `config_labels` and `labels` read the files beside the weights. A new format is one more
reader, called here.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import onnx

from ernie_triton.build.load.checkpoint import read_checkpoint
from ernie_triton.build.load.onnx_graph.file import find_onnx_file, folder_beside, read_onnx
from ernie_triton.build.load.onnx_graph.model import model_from_onnx
from ernie_triton.build.load.onnx_graph.names import fixed_length, with_our_input_names
from ernie_triton.build.load.onnx_graph.options import takes_options, without_options
from ernie_triton.build.load.onnx_graph.outputs import (
    is_vector_alone,
    plain_scores,
    token_outputs,
    vector_outputs,
)
from ernie_triton.build.load.paddle.export import is_paddle_export, onnx_from_paddle_export
from ernie_triton.build.load.sentence.description import SentenceFolder
from ernie_triton.build.load.sentence.model import (
    sentence_folder_of,
    wanted_of_folder,
    with_sentence_files,
)
from ernie_triton.build.load.settings import (
    CONFIG_FILES,
    folds_case,
    read_labels_and_problem,
    splits_ideographs,
    vocabulary_beside,
)
from ernie_triton.build.load.slim import is_slim_checkpoint, read_slim
from ernie_triton.build.load.source import Source, WantedHead
from ernie_triton.build.load.token_heads import with_token_head
from ernie_triton.build.load.weight_files import (
    TOKEN_HEAD_FILES,
    find_weights,
    no_checkpoint_fault,
)
from ernie_triton.build.model.heads import HEAD_NAMES, SequenceHead, VectorHead
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError, OtherTaskError, UnrecognisedGraphError
from ernie_triton.tasks import CHOICE, COLBERT, EXTRACTION
from ernie_triton.tokenizer.vocabulary import VOCABULARY_FILE


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
    has_token_layer = sentence is not None and sentence.token_layer is not None
    head = wanted.head or ("token_vector" if has_token_layer else None)
    if head is not None and head in TOKEN_HEAD_FILES:
        encoder = _read_folder(path, dataclasses.replace(wanted, head="vector"), sentence)
        return with_token_head(encoder, path, head)
    if has_token_layer:
        raise CheckpointError(
            f"{path} has no pooling: it gives a vector for each token; build it with --task "
            f"{COLBERT.name}"
        )
    return _read_folder(path, wanted, sentence)


def _read_folder(path: Path, wanted: WantedHead, sentence: SentenceFolder | None) -> Source:
    """Read a checkpoint with the sentence-transformers files in its folder, if any."""
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
    if onnx_file := find_onnx_file(path):
        kind = f"ONNX graph ({onnx_file.name})" if path.is_dir() else "ONNX graph"
        return _from_graph(kind, path, read_onnx(onnx_file), wanted)
    raise CheckpointError(no_checkpoint_fault(path))


def holds_weights(folder: Path) -> bool:
    """Return whether a folder holds the weights of a checkpoint, not only an export."""
    return find_weights(folder) is not None


def _from_graph(kind: str, path: Path, graph: onnx.ModelProto, wanted: WantedHead) -> Source:
    folder = path if path.is_dir() else folder_beside(path, (*CONFIG_FILES, VOCABULARY_FILE))
    has_config = any((folder / name).is_file() for name in CONFIG_FILES)
    labels, problem = read_labels_and_problem(folder) if has_config else (None, "")
    has_options = takes_options(graph)
    if has_options and wanted.head not in (None, "choice"):
        raise OtherTaskError(
            f"{path} takes the options of a question; build it with --task {CHOICE.name}"
        )
    graph = with_our_input_names(without_options(graph))
    scores, vectors = plain_scores(graph), vector_outputs(graph, wanted.pooling)
    model, reason, used = None, "", vectors if wanted.head == "vector" else scores.graph
    has_sigmoids = "Sigmoid" in scores.functions
    told = {"pointer": has_sigmoids, "choice": False, **dict.fromkeys(TOKEN_HEAD_FILES, False)}
    heads = [head for head in HEAD_NAMES.values() if told.get(head, True)]
    heads = ["choice"] if has_options else heads
    for head in (wanted.head,) if wanted.head else heads:
        read = vectors if head == "vector" else scores.graph
        read = token_outputs(read) if head == "masked" else read
        try:
            model, reason = _pooled(model_from_onnx(read, head), wanted, path), ""
            used = read
            break
        except OtherTaskError:
            if wanted.head:
                raise
        except UnrecognisedGraphError as error:
            reason = reason or str(error)
            if wanted.head == "span" and has_sigmoids:
                raise OtherTaskError(
                    f"{path} puts the score of each token through a sigmoid; build it with "
                    f"--task {EXTRACTION.name}"
                ) from error
    functions = sorted(scores.functions) if used is scores.graph else []
    return Source(
        kind=f"{kind}, without its {' and '.join(functions)}" if functions else kind,
        path=path,
        model=model,
        graph=used,
        unrecognised=reason,
        labels=labels,
        vocabulary=vocabulary_beside(folder),
        lower_case=folds_case(folder),
        tokenize_chinese_chars=splits_ideographs(folder),
        problem=problem or _problem(model, functions),
        pooled_in_graph=used is vectors and is_vector_alone(vectors),
        fixed_length=fixed_length(graph),
    )


def _problem(model: Model | None, functions: Sequence[str]) -> str:
    """Return the problem that a sigmoid inside a classifier tells; empty where it tells none."""
    head = model.head if model is not None else None
    if "Sigmoid" not in functions or not isinstance(head, SequenceHead):
        return ""
    return "multi_label_classification" if head.output.outputs > 1 else "regression"


def _pooled(model: Model, wanted: WantedHead, path: Path) -> Model:
    """Return the model with the wanted pooling in place of the first token's vector.

    Raises:
        CheckpointError: the graph gives only vectors of another pooling.
    """
    head, pooling = model.head, wanted.pooling
    if not isinstance(head, VectorHead) or not pooling or pooling == head.pooling:
        return model
    if head.pooling != "cls" or head.layers:
        raise CheckpointError(
            f"{path} gives vectors of {head.pooling} pooling, not of {pooling}; leave --pooling "
            f"out, or export it with its last hidden state"
        )
    return dataclasses.replace(model, head=dataclasses.replace(head, pooling=pooling))
