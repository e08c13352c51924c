"""The layers of a model by their formulas, in NumPy with float64."""

import math

import numpy as np

from ernie_triton.arrays import Float64
from ernie_triton.build.model.encoder import Linear, Norm


def linear(x: Float64, layer: Linear) -> Float64:
    """Return `x @ weight + bias`."""
    return np.asarray(x @ layer.weight.astype(np.float64) + layer.bias)


def norm(x: Float64, layer: Norm) -> Float64:
    """Return the layer normalisation over the last dimension."""
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + layer.epsilon)
    return np.asarray(centred / deviation * layer.scale + layer.bias)


def activate(x: Float64, kind: str) -> Float64:
    """Return one of `DENSE_ACTIVATIONS` or `POOLER_ACTIVATIONS` of each value."""
    if kind == "tanh_relu":
        return np.maximum(np.tanh(x), 0.0)
    if kind == "gelu":
        erf = np.vectorize(math.erf, otypes=[np.float64])
        return np.asarray(0.5 * x * (1.0 + erf(x / math.sqrt(2.0))))
    if kind == "gelu_tanh":
        inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)
        return np.asarray(0.5 * x * (1.0 + np.tanh(inner)))
    if kind == "sigmoid":
        return np.asarray(1.0 / (1.0 + np.exp(-x)))
    return {"relu": np.maximum(x, 0.0), "tanh": np.tanh(x), "identity": x}[kind]
