"""Linear layers of a graph, by themselves, with a residual, or with an activation."""

from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Array
from ernie_triton.build.load.onnx_graph.norm import find_norm
from ernie_triton.build.load.onnx_graph.operators import ACTIVATION_FUNCTIONS
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.build.model.encoder import Linear
from ernie_triton.errors import UnrecognisedGraphError

_ARITHMETIC = ("Add", "Cast", "Clip", "Div", "Max", "Min", "Mul", "Neg", "Pow", "Sub", "Where")
_FUNCTIONS = ("Erf", "Exp", "Gelu", "Reciprocal", "Relu", "Sigmoid", "Sqrt", "Tanh")
_ELEMENTWISE = frozenset((*_ARITHMETIC, *_FUNCTIONS))
_RANGE = 8.0
_TOLERANCE = 2e-5
"""Maximum absolute difference; GELU and its tanh approximation differ by up to 5e-4."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AppliedLinear:
    """A linear layer and the value that it takes."""

    linear: Linear
    source: str


def read_linear(reading: Reading, name: str) -> AppliedLinear:
    """Read the linear layer that makes a value.

    Raises:
        UnrecognisedGraphError: the value is made by something else.
    """
    found = find_linear(reading, name)
    if found is None:
        raise UnrecognisedGraphError(
            f"found the {reading.producer(reading.strip(name))} where a linear layer was expected "
            "(a MatMul or Gemm with constant weight, and a bias)"
        )
    return found


def find_linear(reading: Reading, name: str) -> AppliedLinear | None:
    """Read as `read_linear` does; None where the value is made by something else."""
    variables, constants = sum_terms(reading, name)
    if len(variables) != 1:
        return None
    return _product(reading, variables[0], constants)


def read_residual(reading: Reading, name: str) -> tuple[AppliedLinear, str]:
    """Read a sum of a linear layer and a residual; return the layer and the residual.

    Raises:
        UnrecognisedGraphError: the value is another sum, or no sum.
    """
    variables, constants = sum_terms(reading, name)
    if len(variables) == 2:
        for term, beside in (variables, variables[::-1]):
            found = _product(reading, term, constants)
            if found is not None:
                return found, beside
    raise UnrecognisedGraphError(
        f"found the {reading.producer(reading.strip(name))} with {len(variables)} variable terms "
        "where the sum of a linear layer and a residual was expected"
    )


def sum_terms(reading: Reading, name: str) -> tuple[list[str], list[Array]]:
    """Split a sum into its variable and constant terms, however it is bracketed.

    A normalisation is one term, even where it ends in an addition.
    """
    name = reading.strip(name)
    if reading.flow.is_constant(name):
        return [], [reading.flow.constant(name)]
    node = reading.flow.producer(name)
    if node is None or node.op != "Add" or find_norm(reading, name) is not None:
        return [name], []
    variables, constants = [], []
    for part in node.inputs:
        more_variables, more_constants = sum_terms(reading, part)
        variables += more_variables
        constants += more_constants
    return variables, constants


def _product(reading: Reading, name: str, constants: list[Array]) -> AppliedLinear | None:
    """Read `source @ weight + bias` from a MatMul or Gemm and the constants added to it."""
    node = reading.flow.producer(name)
    if node is None or node.op not in ("MatMul", "Gemm"):
        return None
    if reading.flow.is_constant(node.inputs[0]) or not reading.flow.is_constant(node.inputs[1]):
        return None
    weight = reading.flow.constant(node.inputs[1])
    if node.op == "Gemm":
        factors = (node.attribute("alpha", 1.0), node.attribute("beta", 1.0))
        if factors != (1.0, 1.0) or node.attribute("transA", 0):
            return None
        weight = weight.T if node.attribute("transB", 0) else weight
        constants = constants + [reading.flow.constant(i) for i in node.inputs[2:] if i]
    if weight.ndim != 2 or any(c.size not in (1, weight.shape[1]) for c in constants):
        return None
    return AppliedLinear(
        linear=Linear(
            weight=weight.astype(np.float32, copy=False), bias=_bias(constants, weight.shape[1])
        ),
        source=reading.strip(node.inputs[0]),
    )


def _bias(constants: list[Array], outputs: int) -> Array:
    if len(constants) == 1 and constants[0].size == outputs:
        return constants[0].reshape(-1).astype(np.float32, copy=False)
    return sum((c.reshape(-1).astype(np.float32) for c in constants), np.zeros(outputs, np.float32))


def read_activation(reading: Reading, name: str) -> tuple[str, str]:
    """Identify the activation that makes a value; return its name and its input.

    Raises:
        UnrecognisedGraphError: the input is no linear layer's output, or the operators between
            compute none of the known activations.
    """
    source = reading.root(
        name,
        _ELEMENTWISE,
        lambda value: find_linear(reading, value) is not None,
        "the linear layer before an activation",
    )
    shape = reading.value(source).shape
    points = np.linspace(-_RANGE, _RANGE, int(np.prod(shape)), dtype=np.float32)
    results = reading.batches.plain.value_given(name, {source: points.reshape(shape)}).reshape(-1)
    for kind, function in ACTIVATION_FUNCTIONS.items():
        expected = function(points)
        if results.shape == expected.shape and np.abs(results - expected).max() < _TOLERANCE:
            return kind, source
    raise UnrecognisedGraphError(
        f"the computation that ends in the {reading.producer(reading.strip(name))} is none of the "
        f"activations {', '.join(ACTIVATION_FUNCTIONS)}"
    )
