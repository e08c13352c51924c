"""Layer normalisations of a graph, as one operator or written out as arithmetic."""

import numpy as np

from ernie_triton.arrays import Array
from ernie_triton.build.load.onnx_graph.operators import Node
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.build.model.encoder import Norm
from ernie_triton.errors import UnrecognisedGraphError


def read_norm(reading: Reading, name: str) -> tuple[Norm, str]:
    """Read the normalisation that makes a value, and the value that it normalises.

    Raises:
        UnrecognisedGraphError: the value is made by something else.
    """
    found = find_norm(reading, name)
    if found is None:
        raise UnrecognisedGraphError(
            f"found the {reading.producer(reading.strip(name))} where a layer normalisation was "
            "expected (post-norm, over the last dimension, with scale and bias)"
        )
    return found


def find_norm(reading: Reading, name: str) -> tuple[Norm, str] | None:
    """Read as `read_norm` does; None where the value is made by something else."""
    name = reading.strip(name)
    node = reading.flow.producer(name)
    if node is None:
        return None
    if node.op == "LayerNormalization":
        return _operator_norm(reading, node)
    return _written_out_norm(reading, name)


def _operator_norm(reading: Reading, node: Node) -> tuple[Norm, str] | None:
    rank = reading.value(node.inputs[0]).ndim
    parameters = node.inputs[1:]
    if (
        node.attribute("axis", -1) % rank != rank - 1
        or len(parameters) != 2
        or not all(name and reading.flow.is_constant(name) for name in parameters)
    ):
        return None
    scale, bias = (reading.flow.constant(name) for name in parameters)
    epsilon = node.attribute("epsilon", 1e-5)
    return _norm(reading, scale, bias, epsilon, reading.strip(node.inputs[0]))


def _written_out_norm(reading: Reading, name: str) -> tuple[Norm, str] | None:
    """Read `(x - mean) / sqrt(mean((x - mean)²) + epsilon) * scale + bias`."""
    shifted = _with_constant(reading, name, "Add")
    scaled = shifted and _with_constant(reading, shifted[0], "Mul")
    parts = scaled and _quotient(reading, scaled[0])
    if not (shifted and scaled and parts):
        return None
    centred, deviation = parts
    source = _centred(reading, centred)
    variance = _with_constant(reading, deviation, "Add")
    if source is None or variance is None or variance[1].size != 1:
        return None
    squares = _averaged(reading, variance[0])
    if squares is None or _squared(reading, squares) != source:
        return None
    return _norm(reading, scaled[1], shifted[1], float(variance[1].item()), source)


def _norm(
    reading: Reading, scale: Array, bias: Array, epsilon: float, source: str
) -> tuple[Norm, str] | None:
    if not scale.size == bias.size == reading.value(source).shape[-1]:
        return None
    # ONNX stores 1e-12 as the nearest float32; the shortest decimal gives 1e-12 back.
    norm = Norm(
        scale=scale.reshape(-1).astype(np.float32, copy=False),
        bias=bias.reshape(-1).astype(np.float32, copy=False),
        epsilon=float(str(np.float32(epsilon))),
    )
    return norm, source


def _node(reading: Reading, name: str, op: str) -> Node | None:
    node = reading.flow.producer(reading.strip(name))
    return node if node is not None and node.op == op else None


def _with_constant(reading: Reading, name: str, op: str) -> tuple[str, Array] | None:
    """Return the variable and the constant of a binary operator that has one of each."""
    node = _node(reading, name, op)
    if node is None:
        return None
    constants = [i for i in node.inputs if reading.flow.is_constant(i)]
    variables = [i for i in node.inputs if not reading.flow.is_constant(i)]
    if len(constants) != 1 or len(variables) != 1:
        return None
    return variables[0], reading.flow.constant(constants[0])


def _quotient(reading: Reading, name: str) -> tuple[str, str] | None:
    """Return `a` and `b` of `a / sqrt(b)`, also written `a * (1 / sqrt(b))`."""
    division = _node(reading, name, "Div")
    if division is not None:
        radicand = _radicand(reading, division.inputs[1])
        return (division.inputs[0], radicand) if radicand else None
    product = _node(reading, name, "Mul")
    for factor, other in (product.inputs, product.inputs[::-1]) if product is not None else ():
        inverse = _node(reading, factor, "Reciprocal")
        radicand = _radicand(reading, inverse.inputs[0]) if inverse is not None else None
        if radicand is not None:
            return other, radicand
    return None


def _radicand(reading: Reading, name: str) -> str | None:
    root = _node(reading, name, "Sqrt")
    if root is not None:
        return root.inputs[0]
    power = _with_constant(reading, name, "Pow")
    return power[0] if power is not None and (power[1] == 0.5).all() else None


def _centred(reading: Reading, name: str) -> str | None:
    """Return `x` of `x - mean(x)`."""
    difference = _node(reading, name, "Sub")
    if difference is None:
        return None
    source = reading.strip(difference.inputs[0])
    averaged = _averaged(reading, difference.inputs[1])
    return source if averaged is not None and reading.strip(averaged) == source else None


def _averaged(reading: Reading, name: str) -> str | None:
    """Return `x` of a mean over the last dimension of `x`, which is kept."""
    node = _node(reading, name, "ReduceMean")
    if node is None:
        return None
    before, after = reading.value(node.inputs[0]), reading.value(node.outputs[0])
    return node.inputs[0] if after.shape == (*before.shape[:-1], 1) else None


def _squared(reading: Reading, name: str) -> str | None:
    """Return `x` of `(x - mean(x))²`."""
    power = _with_constant(reading, name, "Pow")
    if power is not None:
        return _centred(reading, power[0]) if (power[1] == 2).all() else None
    product = _node(reading, name, "Mul")
    if product is None:
        return None
    left, right = (_centred(reading, factor) for factor in product.inputs)
    return left if left == right else None
