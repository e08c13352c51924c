"""The walk from a value of a graph back to the values that it is computed from.

Operators that leave the token vectors unchanged are skipped: casts, dropout, reshapes that keep
the last dimension, additions of zero.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from ernie_triton.arrays import Array
from ernie_triton.build.load.onnx_graph.dataflow import Dataflow
from ernie_triton.build.load.onnx_graph.inputs import ProbeBatches
from ernie_triton.build.load.onnx_graph.operators import Node
from ernie_triton.errors import UnrecognisedGraphError

_RESHAPING = ("Reshape", "Squeeze", "Unsqueeze", "Flatten")
_NEUTRAL = {"Add": 0, "Mul": 1}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """A graph that is being read: its data flow, and its numbers on probe batches."""

    flow: Dataflow
    batches: ProbeBatches

    def value(self, name: str) -> Array:
        """Compute a value for the batch without padding."""
        return self.batches.plain.value(name)

    def producer(self, name: str) -> Node:
        """Return the node that makes a value.

        Raises:
            UnrecognisedGraphError: the value is an input of the graph or a constant.
        """
        node = self.flow.producer(name)
        if node is None:
            raise UnrecognisedGraphError(f"found {name!r} where a computed value was expected")
        return node

    def strip(self, name: str) -> str:
        """Follow a value back through operators that leave token vectors unchanged."""
        while (node := self.flow.producer(name)) is not None:
            inner = self._unchanged_operand(node)
            if inner is None:
                break
            name = inner
        return name

    def _unchanged_operand(self, node: Node) -> str | None:
        """Return the operand that a node passes on unchanged; None where it computes something."""
        if node.op == "Identity" or (node.op == "Dropout" and self._is_inactive(node)):
            return node.inputs[0]
        if node.op == "Cast":
            floats = all(self.value(i).dtype.kind == "f" for i in (*node.inputs, *node.outputs))
            return node.inputs[0] if floats else None
        if node.op in _RESHAPING and not self.flow.is_constant(node.inputs[0]):
            before, after = self.value(node.inputs[0]).shape, self.value(node.outputs[0]).shape
            return node.inputs[0] if before[-1:] == after[-1:] else None
        if node.op in _NEUTRAL:
            # paddle2onnx 2.1 writes Paddle's scale operator out in full: x * 1 + 0.
            for operand, other in (node.inputs, node.inputs[::-1]):
                if self._is_scalar(other, _NEUTRAL[node.op]) and not self.flow.is_constant(operand):
                    return operand
        return None

    def _is_inactive(self, dropout: Node) -> bool:
        training = dropout.inputs[2:]
        return not training or not training[0] or self._is_scalar(training[0], False)

    def _is_scalar(self, name: str, number: float) -> bool:
        if not self.flow.is_constant(name):
            return False
        value = self.flow.constant(name)
        return value.size == 1 and bool(value.item() == number)

    def roots(
        self, name: str, through: Collection[str], is_root: Callable[[str], bool]
    ) -> list[str]:
        """Find the nearest earlier values that `is_root` accepts, through the given operators."""
        found: dict[str, None] = {}
        seen: set[str] = set()
        pending = [name]
        while pending:
            name = self.strip(pending.pop())
            node = self.flow.producer(name)
            if name in seen or node is None or self.flow.is_constant(name):
                continue
            seen.add(name)
            if is_root(name):
                found[name] = None
            elif node.op in through:
                pending.extend(i for i in node.inputs if i)
        return list(found)

    def root(
        self, name: str, through: Collection[str], is_root: Callable[[str], bool], expected: str
    ) -> str:
        """Return the one value that `roots` finds; `expected` names it in the error.

        Raises:
            UnrecognisedGraphError: there is none, or there are several.
        """
        found = self.roots(name, through, is_root)
        if len(found) != 1:
            raise UnrecognisedGraphError(
                f"before the {self.producer(self.strip(name))}: found {len(found)} values that "
                f"may be {expected}; expected one"
            )
        return found[0]
