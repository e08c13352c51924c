"""An ONNX graph as values and the nodes that make them; the ground of reading a model from it."""

from collections.abc import Mapping, Sequence

import onnx
import onnx.inliner
from onnx import numpy_helper

from ernie_triton.arrays import Array
from ernie_triton.build.load.onnx_graph.operators import Node, Operators, node_from_proto


class Dataflow:
    """A graph's values by name: which node makes each, and what the constant ones are.

    Constants are initializers, Constant nodes, and whatever follows from these alone; each is
    computed when first asked for. An initializer is copied out of the message once.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        graph = model.graph
        self._operators = Operators({opset.domain: opset.version for opset in model.opset_import})
        self._initializers = {tensor.name: tensor for tensor in graph.initializer}
        self._constants: dict[str, Array] = {}
        self.inputs = tuple(i for i in graph.input if i.name not in self._initializers)
        self.outputs = tuple(output.name for output in graph.output)
        self.nodes = tuple(node_from_proto(proto, index) for index, proto in enumerate(graph.node))
        self._producers = {name: node for node in self.nodes for name in node.outputs}
        self._constant_names = self._find_constants()

    def _find_constants(self) -> frozenset[str]:
        names = {"", *self._initializers}
        for node in self.nodes:
            if not node.op.startswith("Random") and names.issuperset(node.inputs):
                names.update(node.outputs)
        return frozenset(names)

    def producer(self, name: str) -> Node | None:
        """The node that makes a value; None for the graph's inputs and its initializers."""
        return self._producers.get(name)

    def is_constant(self, name: str) -> bool:
        """Whether a value is the same for every text."""
        return name in self._constant_names

    def constant(self, name: str) -> Array:
        """A constant's value.

        Raises:
            UnrecognisedGraphError: an operator on the way to it cannot be computed.
        """
        if name not in self._constants:
            if name in self._initializers:
                self._constants[name] = numpy_helper.to_array(self._initializers[name])
            else:
                for node in self.nodes_between(name, self._constants):
                    values = [self.constant(i) if i else None for i in node.inputs]
                    self._constants.update(self.run(node, values))
        return self._constants[name]

    def nodes_between(self, target: str, known: Mapping[str, object]) -> list[Node]:
        """The nodes that lead from known values (and initializers) to a target, in graph order."""
        found: dict[int, Node] = {}
        pending = [target]
        while pending:
            name = pending.pop()
            node = self._producers.get(name)
            if name not in known and node is not None and node.index not in found:
                found[node.index] = node
                pending.extend(node.inputs)
        return [found[index] for index in sorted(found)]

    def run(self, node: Node, inputs: Sequence[Array | None]) -> dict[str, Array]:
        """Compute one node's outputs from its inputs (None where an optional one is left out).

        Raises:
            UnrecognisedGraphError: the operator is unknown, or refuses these inputs.
        """
        return self._operators.run(node, inputs)
