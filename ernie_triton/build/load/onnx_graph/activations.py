"""The activations that the canonical graph knows, as NumPy functions to compare others with."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from ernie_triton.arrays import Array

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _gelu(x: Array) -> Array:
    result: Array = 0.5 * x * (1 + _erf(x / math.sqrt(2)))
    return result.astype(x.dtype)


def _gelu_tanh(x: Array) -> Array:
    result: Array = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return result


def _relu(x: Array) -> Array:
    return np.maximum(x, 0)


def _tanh(x: Array) -> Array:
    return np.tanh(x)


def _identity(x: Array) -> Array:
    return x


ACTIVATION_FUNCTIONS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {"gelu": _gelu, "gelu_tanh": _gelu_tanh, "relu": _relu, "tanh": _tanh, "identity": _identity}
)
"""Each of `ACTIVATIONS`, elementwise, in the precision of its argument."""
