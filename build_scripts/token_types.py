"""Models for single texts need no token types: every token has the first."""

import dataclasses

from build_scripts.encoder import Model


def without_token_types(model: Model) -> Model:
    """The same model for single texts: the first token type's vector is added to every position.

    Its graph has no `token_type_ids`, which saves a tensor of each request.
    """
    encoder = model.encoder
    folded = dataclasses.replace(
        encoder,
        position=encoder.position + encoder.token_type[0],
        token_type=encoder.token_type[:0],
    )
    return dataclasses.replace(model, encoder=folded)
