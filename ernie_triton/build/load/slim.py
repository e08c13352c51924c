"""Checkpoints of bag-of-words and convolution students, written by distillation.

The folder is that of a transformers checkpoint: `config.json` of the model type `ernie_slim`,
`model.safetensors`, `vocab.txt` and `tokenizer_config.json`. Linear weights are [outputs, inputs].
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.build.load.config_labels import labels_of, problem_of
from ernie_triton.build.load.safetensors_file import read_safetensors
from ernie_triton.build.load.settings import (
    config_values,
    folds_case,
    read_json,
    splits_ideographs,
    vocabulary_beside,
)
from ernie_triton.build.load.source import Source, WantedHead
from ernie_triton.build.load.state import TASKS_BY_HEAD
from ernie_triton.build.load.weight_files import SAFETENSORS_FILE
from ernie_triton.build.model.encoder import Linear
from ernie_triton.build.model.heads import SequenceHead
from ernie_triton.build.model.slim import KINDS, SlimModel
from ernie_triton.errors import CheckpointError, OtherTaskError

MODEL_TYPE = "ernie_slim"
"""`model_type` in the configuration."""

WORD, BIGRAM, WINDOW, HIDDEN, OUTPUT = "word", "bigram", "window.{}", "hidden", "classifier"
"""Names of the arrays without `.weight` and `.bias`; a window's number is its size in tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlimConfig:
    """The shape of a student, from its `config.json`.

    Attributes:
        kind: one of `ernie_triton.build.model.slim.KINDS`.
        vocab_size: rows of the word vector table.
        embedding_size: width of the word vectors.
        bigram_buckets: rows of the bigram table, 0 for none; only for a bag of words.
        filters: features of each window size, from one token on; only for a convolution.
        hidden_size: width of the hidden layer.
        pair: a row holds two texts.
        pad_token_id: the token that is left out.
        max_position_embeddings: maximum tokens of a row.
    """

    kind: str
    vocab_size: int
    embedding_size: int
    bigram_buckets: int
    filters: tuple[int, ...]
    hidden_size: int
    pair: bool
    pad_token_id: int
    max_position_embeddings: int

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise CheckpointError(f"kind is {self.kind!r}; expected {' or '.join(KINDS)}")
        if bool(self.filters) != (self.kind == "cnn") or (self.bigram_buckets and self.filters):
            raise CheckpointError(
                f"a {self.kind} has filters {list(self.filters)} and {self.bigram_buckets} bigram "
                f"buckets; expected filters for a cnn only, and buckets for a bow only"
            )


def is_slim_checkpoint(folder: Path) -> bool:
    """Return whether a folder holds a student, by its `config.json`."""
    path = folder / "config.json"
    return path.is_file() and read_json(path).get("model_type") == MODEL_TYPE


def read_slim(folder: Path, wanted: WantedHead) -> Source:
    """Read a student.

    Raises:
        OtherTaskError: another head than the sequence head is wanted.
        CheckpointError: a file is damaged; an array is missing, left over, or of another shape.
    """
    if wanted.head not in (None, "sequence"):
        raise OtherTaskError(
            f"{folder} is a student of {TASKS_BY_HEAD['sequence']}, without tokens of its own; "
            f"found --task of {TASKS_BY_HEAD[wanted.head or '']}"
        )
    path = folder / "config.json"
    values = config_values(folder)
    config = read_slim_config(values, path)
    weights = folder / SAFETENSORS_FILE
    if not weights.is_file():
        raise CheckpointError(f"{folder} has no {SAFETENSORS_FILE} beside its config.json")
    return Source(
        kind=f"ERNIE-Slim checkpoint ({weights.name})",
        path=folder,
        model=slim_from_state(read_safetensors(weights), config, str(weights)),
        labels=labels_of(values, path),
        vocabulary=vocabulary_beside(folder),
        lower_case=folds_case(folder),
        tokenize_chinese_chars=splits_ideographs(folder),
        problem=problem_of(values, path),
    )


def read_slim_config(values: Mapping[str, Any], path: Path) -> SlimConfig:
    """Read the shape from a configuration.

    Raises:
        CheckpointError: a size is missing or is no number.
    """

    def size(key: str, least: int) -> int:
        value = values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise CheckpointError(
                f"{path}: {key} is {value!r}; expected a number of at least {least}"
            )
        return value

    filters, pair = values.get("filters", []), values.get("pair")
    if not isinstance(filters, list) or not all(isinstance(n, int) and n > 0 for n in filters):
        raise CheckpointError(f"{path}: filters is {filters!r}; expected a list of sizes")
    if not isinstance(pair, bool):
        raise CheckpointError(f"{path}: pair is {pair!r}; expected true or false")
    try:
        return SlimConfig(
            kind=str(values.get("kind")),
            vocab_size=size("vocab_size", 1),
            embedding_size=size("embedding_size", 1),
            bigram_buckets=size("bigram_buckets", 0),
            filters=tuple(filters),
            hidden_size=size("hidden_size", 1),
            pair=pair,
            pad_token_id=size("pad_token_id", 0),
            max_position_embeddings=size("max_position_embeddings", 2),
        )
    except CheckpointError as error:
        where = "" if str(error).startswith(str(path)) else f"{path}: "
        raise CheckpointError(f"{where}{error}") from None


def slim_from_state(state: Mapping[str, Float32], config: SlimConfig, where: str) -> SlimModel:
    """Assemble a student from its arrays.

    Args:
        state: float32 arrays by name.
        config: the shape.
        where: the file, for messages.

    Raises:
        CheckpointError: an array is missing, left over, or of another shape than `config` gives.
    """
    left = dict(state)

    def array(name: str, *shape: int) -> Float32:
        if name not in left:
            raise CheckpointError(f"no array {name!r}; expected a {config.kind} student")
        found = left.pop(name)
        if found.shape[: len(shape)] != shape:
            raise CheckpointError(
                f"{name} has the shape {list(found.shape)}; its configuration says {list(shape)}"
            )
        return found

    def linear(name: str, *outputs: int) -> Linear:
        weight, bias = array(f"{name}.weight", *outputs), array(f"{name}.bias", *outputs)
        return Linear(weight=weight.T, bias=bias)

    try:
        model = _model(config, array, linear)
        if left:
            raise CheckpointError(
                f"{len(left)} arrays that a {config.kind} student does not use, such as "
                f"{min(left)!r}"
            )
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {error}") from None
    return model


def _model(
    config: SlimConfig, array: Callable[..., Float32], linear: Callable[..., Linear]
) -> SlimModel:
    """Build the model; `array` and `linear` take arrays by name and check their shapes."""
    width, buckets = config.embedding_size, config.bigram_buckets
    none = np.empty((0, width), np.float32)
    return SlimModel(
        word=array(f"{WORD}.weight", config.vocab_size, width),
        bigram=array(f"{BIGRAM}.weight", buckets, width) if buckets else none,
        windows=tuple(
            linear(WINDOW.format(size), filters) for size, filters in enumerate(config.filters, 1)
        ),
        head=SequenceHead(
            pooler=linear(HIDDEN, config.hidden_size),
            pooler_activation="relu",
            output=linear(OUTPUT),
        ),
        pair=config.pair,
        max_positions=config.max_position_embeddings,
        pad_token_id=config.pad_token_id,
    )
