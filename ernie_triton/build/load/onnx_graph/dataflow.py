"""An ONNX graph as values and the nodes that make them, and its values for given inputs."""

from collections.abc import Mapping, Sequence

import onnx
import onnx.inliner
from onnx import numpy_helper

from ernie_triton.arrays import Array
from ernie_triton.build.load.onnx_graph.operators import Node, Operators, node_from_proto
from ernie_triton.errors import UnrecognisedGraphError


class Dataflow:
    """The values of a graph by name: the node that makes each, and the constants.

    Constants are initializers, Constant nodes, and all that is computed from these alone. Each is
    computed on first use. An initializer is copied out of the message once.
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
        """Return the node that makes a value; None for inputs and initializers."""
        return self._producers.get(name)

    def is_constant(self, name: str) -> bool:
        """Return whether a value is the same for every text."""
        return name in self._constant_names

    def constant(self, name: str) -> Array:
        """Compute a constant.

        Raises:
            UnrecognisedGraphError: an operator that it depends on cannot be computed.
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
        """List the nodes that compute a target from known values, in graph order."""
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
            UnrecognisedGraphError: the operator is unknown or fails on these inputs.
        """
        return self._operators.run(node, inputs)


class GraphEvaluation:
    """The values of a graph for given inputs, each computed on first use.

    Exporters write shapes, positions and masks in many ways. The numbers for a small batch are the
    same in each, so numbers are compared instead of nodes.
    """

    def __init__(self, flow: Dataflow, feeds: Mapping[str, Array]) -> None:
        self.feeds = dict(feeds)
        self._flow = flow
        self._values: dict[str, Array] = dict(feeds)

    def value(self, name: str) -> Array:
        """Compute a value.

        Raises:
            UnrecognisedGraphError: it needs an operator that cannot be computed.
        """
        if self._flow.is_constant(name):
            return self._flow.constant(name)
        for node in self._flow.nodes_between(name, self._values):
            if self._flow.is_constant(node.outputs[0]):
                continue
            inputs = [self._input(i, self._values) for i in node.inputs]
            self._values.update(self._flow.run(node, inputs))
        if name not in self._values:
            raise UnrecognisedGraphError(f"the graph uses {name!r}, but nothing makes it")
        return self._values[name]

    def value_given(self, name: str, given: Mapping[str, Array]) -> Array:
        """Compute a value with some earlier values replaced by `given`.

        Raises:
            UnrecognisedGraphError: it needs an operator that cannot be computed, or does not
                depend on anything given.
        """
        changed = dict(given)
        for node in self._flow.nodes_between(name, given):
            if not changed.keys().isdisjoint(node.inputs):
                inputs = [self._input(i, changed) for i in node.inputs]
                changed.update(self._flow.run(node, inputs))
        if name not in changed:
            raise UnrecognisedGraphError(f"{name!r} does not depend on {', '.join(given)}")
        return changed[name]

    def _input(self, name: str, values: Mapping[str, Array]) -> Array | None:
        if not name:
            return None
        return values[name] if name in values else self.value(name)
