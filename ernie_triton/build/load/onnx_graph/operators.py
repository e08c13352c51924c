"""Nodes of an ONNX graph, and one operator at a time computed by `onnx.reference`."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar, cast

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from ernie_triton.arrays import Array
from ernie_triton.errors import UnrecognisedGraphError

_T = TypeVar("_T", int, float, str)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """One operator; `index` is its position in the topological order of the graph."""

    index: int
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    proto: onnx.NodeProto

    def __str__(self) -> str:
        return f"{self.op} node {self.proto.name or self.outputs[0]!r}"

    def attribute(self, name: str, default: _T) -> _T:
        """Return the attribute's value, or `default` where the node leaves it out."""
        for attribute in self.proto.attribute:
            if attribute.name == name:
                value = onnx.helper.get_attribute_value(attribute)
                return cast(_T, value.decode() if isinstance(value, bytes) else value)
        return default


def node_from_proto(proto: onnx.NodeProto, index: int) -> Node:
    """Read a node; operators outside ONNX's own domain get the domain as prefix."""
    standard = proto.domain in ("", "ai.onnx")
    return Node(
        index=index,
        op=proto.op_type if standard else f"{proto.domain}.{proto.op_type}",
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        proto=proto,
    )


class Operators:
    """Compute single nodes of one graph."""

    def __init__(self, opsets: Mapping[str, int]) -> None:
        self._opsets = dict(opsets)
        self._evaluators: dict[int, ReferenceEvaluator] = {}

    def run(self, node: Node, inputs: Sequence[Array | None]) -> dict[str, Array]:
        """Compute one node's outputs from its inputs (None where an optional one is left out).

        Raises:
            UnrecognisedGraphError: the operator is unknown or fails on these inputs.
        """
        feeds = {
            name: value
            for name, value in zip(node.inputs, inputs, strict=True)
            if name and value is not None
        }
        try:
            with np.errstate(all="ignore"):
                if node.op in _REPLACEMENTS:
                    return {node.outputs[0]: _REPLACEMENTS[node.op](node, list(feeds.values()))}
                results = self._evaluator(node).run(None, feeds)
        except Exception as error:  # onnx.reference passes on any error of NumPy
            raise UnrecognisedGraphError(f"cannot compute the {node}: {error}") from error
        return {name: np.asarray(v) for name, v in zip(node.outputs, results, strict=True) if name}

    def _evaluator(self, node: Node) -> ReferenceEvaluator:
        if node.index not in self._evaluators:
            self._evaluators[node.index] = ReferenceEvaluator(node.proto, opsets=self._opsets)
        return self._evaluators[node.index]


_erf = np.vectorize(math.erf, otypes=[np.float64])


def _exact_gelu(x: Array) -> Array:
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
    {
        "gelu": _exact_gelu,
        "gelu_tanh": _gelu_tanh,
        "relu": _relu,
        "tanh": _tanh,
        "identity": _identity,
    }
)
"""Each of `ACTIVATIONS` in NumPy: elementwise, in the precision of its argument."""


def _gelu(node: Node, inputs: list[Array]) -> Array:
    tanh = node.attribute("approximate", "none") == "tanh"
    return ACTIVATION_FUNCTIONS["gelu_tanh" if tanh else "gelu"](inputs[0])


def _gather_elements(node: Node, inputs: list[Array]) -> Array:
    data, indices = inputs
    axis = node.attribute("axis", 0) % data.ndim
    same = tuple(
        slice(None) if dimension == axis else slice(size)
        for dimension, size in enumerate(indices.shape)
    )
    return np.take_along_axis(data[same], indices, axis)


def _cum_sum(node: Node, inputs: list[Array]) -> Array:
    data, axis = inputs[0], int(inputs[1].item())
    if node.attribute("exclusive", 0) or node.attribute("reverse", 0):
        raise NotImplementedError("an exclusive or reverse sum")
    return np.cumsum(data, axis=axis, dtype=data.dtype)


# onnx.reference fails on a single Gelu node and on GatherElements over more than 32 entries (1.22),
# and its CumSum turns int32 into int64 (1.16).
_REPLACEMENTS: Mapping[str, Callable[[Node, list[Array]], Array]] = MappingProxyType(
    {"Gelu": _gelu, "GatherElements": _gather_elements, "CumSum": _cum_sum}
)
