"""The result of reading a checkpoint of any format, and the request for it."""

from dataclasses import dataclass
from pathlib import Path

import onnx

from ernie_triton.build.model.models import AnyModel


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedHead:
    """The head to read a checkpoint with.

    Attributes:
        head: kind of head, as `Task.head` has it; None takes the one that the checkpoint names.
        pooling: pooling of a `vector` head, as `Answering.pooling` has it.
    """

    head: str | None = None
    pooling: str = "cls"


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
        vocabulary: the `vocab.txt` beside the weights; None where there is none.
        lower_case: the tokenizer converts texts to lower case.
        tokenize_chinese_chars: the tokenizer splits ideographs into words of one character.
        problem: transformers' `problem_type`; empty where the source has none.
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
