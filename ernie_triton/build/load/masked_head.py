"""The head of a pre-trained model that scores the vocabulary in the place of a mask.

Its output layer is often the table of word embeddings itself, and then not saved. A bias that is
not there is zero.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ernie_triton.build.load.named_state import WORD_ARRAY, NamedState, some_names
from ernie_triton.build.load.settings import CheckpointConfig
from ernie_triton.build.model.encoder import Linear
from ernie_triton.build.model.heads import MaskedHead
from ernie_triton.errors import CheckpointError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """Names of the layers; of the output's weight and bias any that is there.

    `activation` is the one of the class, empty for that of the feed-forward layers.
    """

    transform: str
    norm: str
    weights: tuple[str, ...]
    biases: tuple[str, ...]
    activation: str = ""


_CLS, _LM = "cls.predictions", "lm_head"
_NAMES = (
    _Names(  # BERT and ERNIE of transformers
        transform=f"{_CLS}.transform.dense",
        norm=f"{_CLS}.transform.LayerNorm",
        weights=(f"{_CLS}.decoder.weight",),
        biases=(f"{_CLS}.decoder.bias", f"{_CLS}.bias"),
    ),
    _Names(  # PaddleNLP
        transform=f"{_CLS}.transform",
        norm=f"{_CLS}.layer_norm",
        weights=(f"{_CLS}.decoder.weight", f"{_CLS}.decoder_weight"),
        biases=(f"{_CLS}.decoder.bias", f"{_CLS}.decoder_bias"),
    ),
    _Names(  # RoBERTa
        transform=f"{_LM}.dense",
        norm=f"{_LM}.layer_norm",
        weights=(f"{_LM}.decoder.weight", f"{_LM}.decoder_weight"),
        biases=(f"{_LM}.decoder.bias", f"{_LM}.bias", f"{_LM}.decoder_bias"),
        activation="gelu",
    ),
    _Names(  # ALBERT
        transform="predictions.dense",
        norm="predictions.LayerNorm",
        weights=("predictions.decoder.weight",),
        biases=("predictions.decoder.bias", "predictions.bias"),
    ),
    _Names(  # DistilBERT
        transform="vocab_transform",
        norm="vocab_layer_norm",
        weights=("vocab_projector.weight",),
        biases=("vocab_projector.bias",),
    ),
)


def has_masked_head(names: Collection[str]) -> bool:
    """Return whether arrays of these names, whatever prefix they share, have such a head."""
    wanted = tuple(f"{known.transform}.weight" for known in _NAMES)
    return any(name.endswith(wanted) for name in names)


def masked_head(arrays: NamedState, config: CheckpointConfig, where: str) -> MaskedHead:
    """Read the head; the arrays are ticked off.

    Raises:
        CheckpointError: there is none, or its output is not of the vocabulary.
    """
    names = next((known for known in _NAMES if arrays.has(f"{known.transform}.weight")), None)
    if names is None:
        found = some_names(name for name in arrays.left() if not name.startswith(arrays.prefix))
        raise CheckpointError(
            f"{where} has no head that scores the vocabulary, such as {_NAMES[0].transform}; found "
            f"{found}; expected a pre-trained model with the head of its training"
        )
    word = arrays.prefix + WORD_ARRAY
    weight = arrays.array(next(filter(arrays.has, names.weights), word))
    vocabulary = len(arrays.array(word))
    if weight.shape[0] != vocabulary:  # some versions save it as [inputs, outputs]
        weight = weight.T
    if weight.shape[0] != vocabulary:
        raise CheckpointError(
            f"{where} scores {weight.shape[0]} tokens in the place of a mask, but embeds "
            f"{vocabulary}; expected as many"
        )
    arrays.skip(f"{arrays.prefix}pooler.dense.weight", f"{arrays.prefix}pooler.dense.bias")
    bias = next(filter(arrays.has, names.biases), None)
    return MaskedHead(
        transform=arrays.linear(names.transform),
        activation=names.activation or config.activation,
        norm=arrays.norm(names.norm),
        output=Linear(
            weight=weight.T,
            bias=arrays.array(bias) if bias else np.zeros(vocabulary, np.float32),
        ),
    )
