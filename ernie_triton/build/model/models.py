"""A model of either kind, and its trimming to the rows of one pipeline."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from ernie_triton.build.model.encoder import Encoder, named_arrays
from ernie_triton.build.model.heads import Head, MaskedHead, VectorHead
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.errors import CheckpointError, VocabularyError
from ernie_triton.tokenizer.vocabulary import Vocabulary


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
def with_mask_id(model: Model, vocabulary: Vocabulary, where: Path) -> Model: ...


@overload
def with_mask_id(
    model: AnyModel | None, vocabulary: Vocabulary, where: Path
) -> AnyModel | None: ...


def with_mask_id(model: AnyModel | None, vocabulary: Vocabulary, where: Path) -> AnyModel | None:
    """Return the model with the vocabulary's id of the mask, where its head fills masks in.

    Raises:
        VocabularyError: the vocabulary has no mask.
    """
    if not isinstance(model, Model) or not isinstance(model.head, MaskedHead):
        return model
    name = vocabulary.rules.names.mask
    if name not in vocabulary.special_tokens:
        raise VocabularyError(
            f"the vocabulary {where} has no {name}, whose place is to be filled in; use the one "
            f"that the model was trained with"
        )
    head = dataclasses.replace(model.head, mask_id=vocabulary.special_id(name))
    return dataclasses.replace(model, head=head)


@overload
def trim_model(model: Model, *, max_length: int, pair: bool) -> Model: ...


@overload
def trim_model(model: SlimModel, *, max_length: int, pair: bool) -> SlimModel: ...


def trim_model(model: AnyModel, *, max_length: int, pair: bool) -> AnyModel:
    """Return the model for rows of at most `max_length` tokens.

    Runtimes that plan memory from the graph then know the longest row. For single texts, the first
    token type's vector is added to every word vector, and the graph has no `token_type_ids`: each
    request carries one tensor less. A model that fills in masks gets a second id of the mask, the
    last row of its table.
    """
    if isinstance(model, SlimModel):
        return dataclasses.replace(model, max_positions=max_length)
    encoder = model.encoder
    word, token_type = encoder.word, encoder.token_type
    if not pair:
        word, token_type = word + token_type[0], token_type[:0]
    if isinstance(model.head, MaskedHead):
        # The row of each mask has this id for its other masks.
        word = np.concatenate([word, word[model.head.mask_id, None]])
    position = encoder.position[:max_length]
    trimmed = dataclasses.replace(encoder, word=word, position=position, token_type=token_type)
    return dataclasses.replace(model, encoder=trimmed)
