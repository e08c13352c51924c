"""A model of either kind, and its trimming to the rows of one pipeline."""

import dataclasses
from dataclasses import dataclass
from typing import overload

from ernie_triton.build.model.encoder import Encoder, named_arrays
from ernie_triton.build.model.heads import Head, VectorHead
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.errors import CheckpointError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """An encoder with the head of its task."""

    encoder: Encoder
    head: Head

    def __post_init__(self) -> None:
        taken = self.head.features
        if taken not in (None, self.encoder.hidden):
            raise CheckpointError(
                f"the head takes {taken} features but the encoder gives {self.encoder.hidden}"
            )
        if isinstance(self.head, VectorHead):
            self.head.width(self.encoder.hidden)

    @property
    def vocabulary_size(self) -> int:
        """Rows of the word embedding table."""
        return self.encoder.vocabulary_size

    @property
    def token_types(self) -> int:
        """Rows of the token type table."""
        return len(self.encoder.token_type)

    @property
    def max_positions(self) -> int:
        """Maximum length of a text in tokens."""
        return self.encoder.max_positions

    @property
    def pad_token_id(self) -> int:
        """The token masked in attention."""
        return self.encoder.pad_token_id

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(int(array.size) for _, array in named_arrays(self))


AnyModel = Model | SlimModel
"""A model that is read from weights."""


@overload
def trim_model(model: Model, *, max_length: int, pair: bool) -> Model: ...


@overload
def trim_model(model: SlimModel, *, max_length: int, pair: bool) -> SlimModel: ...


def trim_model(model: AnyModel, *, max_length: int, pair: bool) -> AnyModel:
    """Return the model for rows of at most `max_length` tokens.

    Runtimes that plan memory from the graph then know the longest row. For single texts, the first
    token type's vector is added to every word vector, and the graph has no `token_type_ids`: each
    request carries one tensor less.
    """
    if isinstance(model, SlimModel):
        return dataclasses.replace(model, max_positions=max_length)
    encoder = model.encoder
    word, token_type = encoder.word, encoder.token_type
    if not pair:
        word, token_type = word + token_type[0], token_type[:0]
    position = encoder.position[:max_length]
    trimmed = dataclasses.replace(encoder, word=word, position=position, token_type=token_type)
    return dataclasses.replace(model, encoder=trimmed)
