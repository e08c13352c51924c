"""Infer a checkpoint's task from what stands in its folder, or ask for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ernie_triton.build.load import read_source
from ernie_triton.build.load.checkpoint import read_weights
from ernie_triton.build.load.config_labels import problem_of
from ernie_triton.build.load.families import HEADS_BY_ARCHITECTURE
from ernie_triton.build.load.masked_head import has_masked_head
from ernie_triton.build.load.sentence.description import CROSS_ENCODER, SENTENCE_MODEL
from ernie_triton.build.load.sentence.folder import is_sentence_folder, read_sentence_folder
from ernie_triton.build.load.sentence.scores import cross_encoder_activation
from ernie_triton.build.load.settings import (
    CONFIG_FILES,
    config_values,
    head_of,
    trained_task,
)
from ernie_triton.build.load.slim import is_slim_checkpoint
from ernie_triton.build.load.weight_files import find_weights
from ernie_triton.build.model.heads import HEAD_NAMES, SequenceHead
from ernie_triton.errors import UsageError
from ernie_triton.tasks import MULTI_LABEL, REGRESSION, TASKS

_SETFIT_HEAD = "model_head.pkl"


@dataclass(frozen=True, slots=True, kw_only=True)
class InferredTask:
    """The name of a checkpoint's task, and the file or value that says so."""

    task: str
    reason: str


def infer_task(checkpoint: Path) -> InferredTask:
    """Infer the task from the configuration, the sentence-transformers files, weights or graph.

    Args:
        checkpoint: a folder or an exported file; it exists.

    Raises:
        UsageError: nothing says the task; the message has the choices.
        CheckpointError: a file of the checkpoint is damaged.
    """
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    sentence = read_sentence_folder(folder) if is_sentence_folder(folder) else None
    if sentence is not None and sentence.kind == SENTENCE_MODEL:
        if (folder / _SETFIT_HEAD).is_file():
            raise UsageError(
                f"{folder} is a classifier of SetFit: {_SETFIT_HEAD} holds its head, a pickle of "
                f"scikit-learn, which is never read; --task embedding serves its vectors"
            )
        kind = "vector" if sentence.token_layer is None else "token_vector"
        return _inferred(kind, "", "the modules of sentence-transformers")
    has_config = any((folder / name).is_file() for name in CONFIG_FILES)
    values = config_values(folder) if has_config else {}
    if checkpoint.is_dir() and is_slim_checkpoint(checkpoint):
        return _inferred("sequence", problem_of(values, folder), "a student of a text classifier")
    architecture = _architecture(values)
    head = head_of(values)
    if head is not None:
        return _inferred(head, problem_of(values, folder), f"its architecture {architecture}")
    pre_trained = tuple(end for end, kind in HEADS_BY_ARCHITECTURE.items() if kind == "masked")
    if not architecture or architecture.endswith(pre_trained):
        found = find_weights(checkpoint)
        if found and has_config:
            head = _head_of_weights(read_weights(found))
            if head is not None and (not architecture or head == "masked"):
                problem = problem_of(values, folder)
                return _inferred(head, problem, f"the names in {found.path.name}")
        elif not has_config:
            return _task_of_graph(checkpoint)
    raise _unknown(checkpoint, f"its architecture is {architecture}" if architecture else "")


def reads_pairs(checkpoint: Path) -> bool:
    """Return whether a checkpoint is a cross-encoder, which reads two texts at once.

    Raises:
        CheckpointError: a file of the checkpoint is damaged.
    """
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    if is_sentence_folder(folder):
        return read_sentence_folder(folder).kind == CROSS_ENCODER
    return cross_encoder_activation(folder, 1) is not None


def _architecture(values: dict[str, Any]) -> str:
    architectures = values.get("architectures")
    known = architectures if isinstance(architectures, list) else []
    return str(known[0] if known else values.get("init_class", ""))


def _head_of_weights(names: Iterable[str]) -> str | None:
    """The head that transformers' names of weights tell; None where they fit several or none."""
    known = set(names)
    if any(name.endswith("linear_start.weight") for name in known):
        return "pointer"
    if any(name.startswith("qa_outputs.") for name in known):
        return "span"
    if not any(name.startswith("classifier.") for name in known):
        return "masked" if has_masked_head(known) else None
    # Classifiers of texts have a pooler, or RoBERTa's own layers; those of tokens have neither.
    own = (".pooler.", "classifier.out_proj.", "pre_classifier.")
    of_text = any(part in name for name in known for part in own)
    return "sequence" if of_text else "token"


def _task_of_graph(checkpoint: Path) -> InferredTask:
    """The task of an export without a configuration, by the head of its graph."""
    model = read_source(checkpoint).model
    if model is None:
        raise _unknown(checkpoint, "its graph is not recognised")
    one_score = isinstance(model.head, SequenceHead) and model.head.output.outputs == 1
    return _inferred(
        HEAD_NAMES[type(model.head)], "regression" if one_score else "", "the head of its graph"
    )


def _inferred(head: str, problem: str, reason: str) -> InferredTask:
    task = trained_task(head, problem)
    said = f" and problem {problem}" if task in (MULTI_LABEL, REGRESSION) else ""
    return InferredTask(task=task.name, reason=f"{reason}{said}")


def _unknown(checkpoint: Path, found: str) -> UsageError:
    said = f" ({found})" if found else ""
    return UsageError(
        f"{checkpoint} does not say its task{said}; name it with --task {'|'.join(TASKS)}"
    )
