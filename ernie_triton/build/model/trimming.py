"""The model as one pipeline needs it: no positions past its longest row, no token types for one."""

import dataclasses
from typing import overload

from ernie_triton.build.model.encoder import Model
from ernie_triton.build.model.slim import AnyModel, SlimModel


@overload
def fitted(model: Model, *, max_length: int, pair: bool) -> Model: ...


@overload
def fitted(model: SlimModel, *, max_length: int, pair: bool) -> SlimModel: ...


def fitted(model: AnyModel, *, max_length: int, pair: bool) -> AnyModel:
    """The same model for rows of at most `max_length` tokens.

    A runtime that plans its memory from the graph then knows how long a row can be. For single
    texts the first token type's vector is added to every word, and the graph has no
    `token_type_ids`: a tensor less in each request.
    """
    if isinstance(model, SlimModel):
        return dataclasses.replace(model, max_positions=max_length)
    encoder = model.encoder
    word, token_type = encoder.word, encoder.token_type
    if not pair:
        word, token_type = word + token_type[0], token_type[:0]
    position = encoder.position[:max_length]
    fitting = dataclasses.replace(encoder, word=word, position=position, token_type=token_type)
    return dataclasses.replace(model, encoder=fitting)
