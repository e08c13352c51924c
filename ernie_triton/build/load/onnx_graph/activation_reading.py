"""Activations between two linear layers, told by what they do to numbers."""

import numpy as np

from ernie_triton.build.load.onnx_graph.activations import ACTIVATION_FUNCTIONS
from ernie_triton.build.load.onnx_graph.linear import find_linear
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.errors import UnrecognisedGraphError

_ARITHMETIC = ("Add", "Cast", "Clip", "Div", "Max", "Min", "Mul", "Neg", "Pow", "Sub", "Where")
_FUNCTIONS = ("Erf", "Exp", "Gelu", "Reciprocal", "Relu", "Sigmoid", "Sqrt", "Tanh")
_ELEMENTWISE = frozenset((*_ARITHMETIC, *_FUNCTIONS))
_RANGE = 8.0
_TOLERANCE = 2e-5
"""GELU and its tanh approximation differ by up to 5e-4."""


def read_activation(reading: Reading, name: str) -> tuple[str, str]:
    """Which activation makes a value, and the linear layer's output that it is applied to.

    Raises:
        UnrecognisedGraphError: the way back to the linear layer does anything but one of the known
            activations.
    """
    source = reading.root(
        name,
        _ELEMENTWISE,
        lambda value: find_linear(reading, value) is not None,
        "the linear layer before an activation",
    )
    shape = reading.value(source).shape
    points = np.linspace(-_RANGE, _RANGE, int(np.prod(shape)), dtype=np.float32)
    results = reading.probes.plain.value_given(name, {source: points.reshape(shape)}).reshape(-1)
    for kind, function in ACTIVATION_FUNCTIONS.items():
        expected = function(points)
        if results.shape == expected.shape and np.abs(results - expected).max() < _TOLERANCE:
            return kind, source
    raise UnrecognisedGraphError(
        f"what ends in the {reading.producer(reading.strip(name))} is none of the activations "
        f"{', '.join(ACTIVATION_FUNCTIONS)}"
    )
