"""The result of reading a checkpoint of any format, and the request for it."""

from dataclasses import dataclass
from pathlib import Path

import onnx

from ernie_triton.build.load.families import Family
from ernie_triton.build.load.sentence.description import SentenceFolder
from ernie_triton.build.model.models import AnyModel
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.tasks import task_named


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedHead:
    """The head to read a checkpoint with.

    Attributes:
        head: kind of head, as `Task.head` has it; None takes the one that the checkpoint names.
        pooling: pooling of a `vector` head, as `Answering.pooling` has it; empty takes the one that
            the checkpoint names, or the first token's vector where it names none.
        dimensions: features of a vector to keep; 0 as the checkpoint says.
    """

    head: str | None = None
    pooling: str = ""
    dimensions: int = 0


def wanted_head(spec: PipelineSpec) -> WantedHead:
    """Return the head that a pipeline asks of its checkpoint."""
    answering = spec.answering
    return WantedHead(
        head=task_named(spec.task).head,
        pooling=answering.pooling,
        dimensions=answering.dimensions,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A checkpoint that was read.

    Attributes:
        kind: its format, for messages.
        path: the folder or file named by the user.
        model: its weights; None where the exported graph was not recognised.
        graph: the exported graph, for exports; the engine is compared with it.
        unrecognised: the reason why `model` is None.
        labels: label names in the order of the output units; None where the source has none.
        vocabulary: the `vocab.txt` or `tokenizer.json` beside the weights; None without either.
        lower_case: the tokenizer converts texts to lower case.
        tokenize_chinese_chars: the tokenizer splits ideographs into words of one character.
        problem: transformers' `problem_type`; empty where the source has none.
        pooled_in_graph: the exported graph itself makes the vector of each text.
        fixed_length: tokens of the one row length that the exported graph takes; 0 for any.
        sentence: the files of sentence-transformers beside the weights; None without them.
        activation: what a cross-encoder's score goes through; None where it is none.
        weights: the file or index of the weights; None for a graph or a student.
        family: what its model type means; None for a graph or a student.
        note: what the user should know of the reading; empty for nothing.
    """

    kind: str
    path: Path
    model: AnyModel | None
    graph: onnx.ModelProto | None = None
    unrecognised: str = ""
    labels: tuple[str, ...] | None = None
    vocabulary: Path | None = None
    lower_case: bool = True
    tokenize_chinese_chars: bool = True
    problem: str = ""
    pooled_in_graph: bool = False
    fixed_length: int = 0
    sentence: SentenceFolder | None = None
    activation: str | None = None
    weights: Path | None = None
    family: Family | None = None
    note: str = ""
