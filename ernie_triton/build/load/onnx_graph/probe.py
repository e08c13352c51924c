"""A graph run on one small batch: what its side branches compute is told by their values."""

from collections.abc import Mapping

from ernie_triton.arrays import Array
from ernie_triton.build.load.onnx_graph.dataflow import Dataflow
from ernie_triton.errors import UnrecognisedGraphError


class Probe:
    """The values of a graph for given inputs, each computed when first asked for.

    Exporters write shapes, positions and masks in countless ways. Whatever the way, the numbers
    that come out for a small batch are the same, and these are compared instead of the nodes.
    """

    def __init__(self, flow: Dataflow, feeds: Mapping[str, Array]) -> None:
        self.feeds = dict(feeds)
        self._flow = flow
        self._values: dict[str, Array] = dict(feeds)

    def value(self, name: str) -> Array:
        """A value for the probe's inputs.

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
        """A value where some values before it are replaced by `given`.

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
