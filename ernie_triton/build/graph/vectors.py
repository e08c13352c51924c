"""The vector of each text: pooled from its tokens' vectors, then the layers behind the pooling.

All poolings but the maximum are products with a matrix of shares, [items, tokens] or
[items, 1, length]: how much each token has of the vector of each text. So they are exact across
packing. Padding and the tokens of other texts have the share 0.
"""

from onnx import TensorProto

from ernie_triton.build.graph.builder import GraphBuilder
from ernie_triton.build.graph.packing import Place, first_tokens
from ernie_triton.build.model.encoder import Norm
from ernie_triton.build.model.heads import Cut, Dense, VectorHead, VectorLayer

_FLOAT, _INT32 = TensorProto.FLOAT, TensorProto.INT32
_LEAST = -1e9
"""Stands for the vectors of padding in the maximum; FP32, below every value of a layer norm."""
_SHORTEST = 1e-12


def write_vector(
    graph: GraphBuilder, head: VectorHead, place: Place, hidden: str, pad_token_id: int
) -> None:
    """Write the vector of each text, float32 [items, width], as `vector`.

    Args:
        graph: the graph so far.
        head: the poolings and the layers.
        place: the token maps.
        hidden: the last hidden state; of first tokens only where the head needs no more.
        pad_token_id: the token that counts for nothing.
    """
    writer = _Pooling(graph, place, hidden, pad_token_id)
    parts = head.poolings
    if len(parts) == 1:
        pooled = writer.write(head, parts[0], "pooled" if head.layers else "vector")
    else:
        each = [writer.write(head, part, f"pooled/{part}") for part in parts]
        pooled = graph.add("Concat", "pooled" if head.layers else "vector", *each, axis=-1)
    for index, layer in enumerate(head.layers):
        last = index == len(head.layers) - 1
        pooled = _write_layer(graph, layer, "vector" if last else f"pooled/{index}", pooled)


def _write_layer(graph: GraphBuilder, layer: VectorLayer, name: str, x: str) -> str:
    """Write a layer from float32 to float32."""
    if isinstance(layer, Dense):
        dense = graph.scores(f"{name}/dense", layer.linear, graph.narrow(x))
        return graph.activation(name, layer.activation, dense)
    if isinstance(layer, Norm):
        scale = graph.constant(f"{name}/scale", layer.scale, "float32")
        bias = graph.constant(f"{name}/bias", layer.bias, "float32")
        return graph.add("LayerNormalization", name, x, scale, bias, axis=-1, epsilon=layer.epsilon)
    if isinstance(layer, Cut):
        first, end, axis = graph.integers(0), graph.integers(layer.width), graph.integers(1)
        return graph.add("Slice", name, x, first, end, axis)
    length = graph.add("ReduceL2", f"{name}/length", x, graph.integers(1), keepdims=1)
    shortest = graph.constant(f"{name}/shortest", _SHORTEST, "float32")
    return graph.add("Div", name, x, graph.add("Max", f"{name}/divisor", length, shortest))


class _Pooling:
    """Writes poolings of one hidden state; what two of them need is written once."""

    def __init__(self, graph: GraphBuilder, place: Place, hidden: str, pad_token_id: int) -> None:
        self._graph = graph
        self._place = place
        self._hidden = hidden
        self._pad_token_id = pad_token_id
        self._made: dict[str, str] = {}

    def write(self, head: VectorHead, part: str, name: str) -> str:
        """Write one pooling, float32 [items, hidden]."""
        graph, hidden = self._graph, self._hidden
        if part == "pooler" and head.pooler is not None:
            pooled = graph.linear("pooler", head.pooler, hidden)
            return graph.activation(name, head.pooler_activation, graph.widened(pooled))
        if part == "cls":
            if head.poolings != ("cls",):
                hidden = first_tokens(graph, self._place, f"{name}/first", hidden)
            return graph.add("Identity", name, graph.widened(hidden))
        if part == "max":
            return self._maximum(name)
        shares = {
            "mean": self._mean,
            "mean_sqrt_len": self._mean_sqrt_len,
            "weightedmean": self._weighted_mean,
            "lasttoken": self._last_token,
        }[part]()
        if self._place.item is not None:
            return graph.result("MatMul", name, shares, hidden)
        row = graph.add("Unsqueeze", f"{shares}/row", shares, graph.integers(1))
        product = graph.result("MatMul", f"{name}/row", row, hidden)
        return graph.add("Squeeze", name, product, graph.integers(1))

    def _maximum(self, name: str) -> str:
        graph, place = self._graph, self._place
        vectors = graph.widened(self._hidden)
        if place.pad is not None:
            vectors = graph.add("Gather", f"{name}/cells", vectors, place.pad)
        kept = graph.add("Unsqueeze", f"{name}/kept", place.kept, graph.integers(2))
        least = graph.constant(f"{name}/least", _LEAST, "float32")
        real = graph.add("Where", f"{name}/real", kept, vectors, least)
        return graph.add("ReduceMax", name, real, graph.integers(1), keepdims=0)

    def _mean(self) -> str:
        return self._graph.narrowed("Div", "share", self._own(), self._count())

    def _mean_sqrt_len(self) -> str:
        root = self._graph.add("Sqrt", "share/root", self._count())
        return self._graph.narrowed("Div", "share/by_root", self._own(), root)

    def _weighted_mean(self) -> str:
        weights = self._places()
        total = self._graph.add(
            "ReduceSum", "share/places_sum", weights, self._graph.integers(1), keepdims=1
        )
        return self._graph.narrowed("Div", "share/weighted", weights, total)

    def _last_token(self) -> str:
        graph, places = self._graph, self._places()
        last = graph.add("ReduceMax", "share/last_place", places, graph.integers(1), keepdims=1)
        is_last = graph.add("Equal", "share/is_last", places, last)
        return graph.narrow(graph.add("Cast", "share/last", is_last, to=_FLOAT))

    def _places(self) -> str:
        """Write each token's position in its text from 1, [items, tokens]; 0 where not its own."""
        if "places" not in self._made:
            graph = self._graph
            position = graph.add("Cast", "share/position", self._place.position, to=_FLOAT)
            one = graph.constant("share/one", 1.0, "float32")
            number = graph.add("Add", "share/number", position, one)
            self._made["places"] = graph.add("Mul", "share/places", self._own(), number)
        return self._made["places"]

    def _count(self) -> str:
        if "count" not in self._made:
            self._made["count"] = self._graph.add(
                "ReduceSum", "share/lengths", self._own(), self._graph.integers(1), keepdims=1
            )
        return self._made["count"]

    def _own(self) -> str:
        """Write 1 where a token is real and of the text, else 0: float32 [items, tokens].

        Padding gets 0 in a packed batch too: `lengths` counts it where the server's ragged batching
        made the batch, as all rows of a request then have one length.
        """
        if "own" not in self._made:
            counts = self._place.kept if self._place.item is None else self._packed_own()
            self._made["own"] = self._graph.add("Cast", "share/own", counts, to=_FLOAT)
        return self._made["own"]

    def _packed_own(self) -> str:
        graph = self._graph
        size = graph.add("Size", "share/size", "lengths")
        count = graph.add("Cast", "share/items", size, to=_INT32)
        rows = graph.add("Range", "share/rows", graph.int32(0), count, graph.int32(1))
        rows = graph.add("Unsqueeze", "share/rows_column", rows, graph.integers(1))
        is_pad = graph.add("Equal", "share/is_pad", "input_ids", graph.int32(self._pad_token_id))
        real = graph.add("Not", "share/real", is_pad)
        is_own = graph.add("Equal", "share/is_own", str(self._place.item), rows)
        return graph.add("And", "share/counts", is_own, real)
