"""What reading a checkpoint gives, whatever its format."""

from dataclasses import dataclass
from pathlib import Path

import onnx

from ernie_triton.build.model.models import AnyModel


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedHead:
    """What a checkpoint is to be read as.

    Attributes:
        head: as `Task.head` has it; None takes what the checkpoint says it is.
        pooling: of a `vector` head, as `Answering.pooling` has it.
    """

    head: str | None = None
    pooling: str = "cls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A checkpoint that was read.

    Attributes:
        kind: its format, for people.
        path: the folder or file named by the user.
        model: its weights, or None where the exported graph was not recognised.
        graph: the exported graph, for exports; the reference that the engine is compared with.
        unrecognised: why `model` is None.
        labels: label names in the order of the output units, where the source has real ones.
        vocabulary: the `vocab.txt` beside the weights, where there is one.
        lower_case: whether the tokenizer folds case.
        tokenize_chinese_chars: whether each ideograph is a word to the tokenizer; otherwise a run
            of them is one.
        problem: transformers' `problem_type`, where the source says it.
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
