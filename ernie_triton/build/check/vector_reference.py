"""The vector of one text from its tokens' vectors, in NumPy, as sentence-transformers has it."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ernie_triton.arrays import Float64
from ernie_triton.build.check.formulas import activate, linear, norm
from ernie_triton.build.model.encoder import Norm
from ernie_triton.build.model.heads import Cut, Dense, VectorHead

_SHORTEST = 1e-12

_POOLINGS: Mapping[str, Callable[[Float64], Float64]] = {
    "cls": lambda x: x[0],
    "max": lambda x: x.max(axis=0),
    "mean": lambda x: x.mean(axis=0),
    "mean_sqrt_len": lambda x: x.sum(axis=0) / np.sqrt(len(x)),
    "weightedmean": lambda x: np.average(x, axis=0, weights=np.arange(1, len(x) + 1)),
    "lasttoken": lambda x: x[-1],
}


def vector_of_tokens(head: VectorHead, hidden: Float64) -> Float64:
    """Return the vector of one text.

    Args:
        head: the poolings and the layers.
        hidden: [tokens, hidden], of the text's own tokens.
    """
    if head.poolings == ("pooler",) and head.pooler is not None:
        vector = activate(linear(hidden[0], head.pooler), head.pooler_activation)
    else:
        vector = np.concatenate([_POOLINGS[part](hidden) for part in head.poolings])
    return through_layers(head, vector)


def through_layers(head: VectorHead, vector: Float64) -> Float64:
    """Return what the layers behind the pooling make of its vector."""
    for layer in head.layers:
        if isinstance(layer, Dense):
            vector = activate(linear(vector, layer.linear), layer.activation)
        elif isinstance(layer, Norm):
            vector = norm(vector, layer)
        elif isinstance(layer, Cut):
            vector = vector[: layer.width]
        else:
            vector = vector / max(float(np.linalg.norm(vector)), _SHORTEST)
    return np.asarray(vector)


def vector_of_outputs(head: VectorHead, outputs: Sequence[Float64]) -> Float64:
    """Return the vector of one text from a framework's outputs: hidden states, or pooled ones.

    Args:
        head: the poolings and the layers.
        outputs: hidden states [tokens, hidden], and what the framework's own pooler gives.
    """
    hidden = next((output for output in outputs if output.ndim == 2), None)
    if hidden is not None and head.poolings != ("pooler",):
        return vector_of_tokens(head, np.asarray(hidden, dtype=np.float64))
    pooled = next(output for output in outputs if output.ndim == 1)
    return through_layers(head, np.asarray(pooled, dtype=np.float64))
