"""The formula against numbers worked by hand, and against the products of a real graph."""

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import helper

from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.random_models.torch_export import model_from_classifier, random_classifier
from ernie_triton.model_shapes import Shape
from ernie_triton.perf.limits.arithmetic import mean_text_flops, text_flops

SHAPE = Shape(layers=3, hidden=24, heads=4, feed_forward=40)


def test_one_layer_of_width_2_on_3_tokens_is_the_sum_worked_by_hand() -> None:
    shape = Shape(layers=1, hidden=2, heads=1, feed_forward=5)
    keys_and_values = 2 * (2 * 3 * 2 * 2)
    query, projection = 2 * 1 * 2 * 2, 2 * 1 * 2 * 2
    scores, context = 2 * 1 * 2 * 3, 2 * 1 * 3 * 2
    wide, narrow = 2 * 1 * 2 * 5, 2 * 1 * 5 * 2
    pooler, classifier = 2 * 1 * 2 * 2, 2 * 1 * 2 * 7
    expected = keys_and_values + query + projection + scores + context + wide + narrow
    assert text_flops(shape, tokens=3, labels=7) == expected + pooler + classifier


def test_medium_takes_about_twice_its_layers_weights_per_token() -> None:
    """The rule of thumb for long-known models: 2 operations a weight and token (Kaplan et al.)."""
    shape = Shape(layers=6, hidden=768, heads=12, feed_forward=3072)
    weights = 5 * 12 * 768 * 768  # the last layer computes one token but for keys and values
    per_token = text_flops(shape, tokens=24, labels=15) / 24
    assert per_token == pytest.approx(2 * weights, rel=0.1)


@pytest.mark.parametrize("tokens", [2, 9, 31])
def test_the_formula_counts_every_product_of_the_canonical_graph(tokens: int) -> None:
    graph = export_onnx(model_from_classifier(random_classifier(SHAPE, labels=7)), "padded")
    assert text_flops(SHAPE, tokens=tokens, labels=7) == counted_flops(graph, tokens)


def test_the_mean_over_lengths_is_not_that_of_the_mean_length() -> None:
    one, other = (text_flops(SHAPE, tokens=tokens, labels=7) for tokens in (4, 40))
    mean = mean_text_flops(SHAPE, [4, 40], labels=7)
    assert mean == (one + other) / 2
    assert mean > text_flops(SHAPE, tokens=22, labels=7)


def counted_flops(graph: onnx.ModelProto, tokens: int) -> int:
    """Run the graph on one text and count its products by the shapes of what they multiplied."""
    products = [node for node in graph.graph.node if node.op_type in ("MatMul", "Gemm")]
    known = {item.name: tuple(item.dims) for item in graph.graph.initializer}
    wanted = {name for node in products for name in node.input[:2]} - known.keys()
    wanted |= {node.output[0] for node in products}
    probed = onnx.ModelProto()
    probed.CopyFrom(graph)
    present = {item.name for item in probed.graph.output}
    for name in sorted(wanted - present):
        probed.graph.output.append(helper.make_empty_tensor_value_info(name))
    session = onnxruntime.InferenceSession(
        probed.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ids: npt.NDArray[np.int32] = np.ones((1, tokens), np.int32)
    names = [item.name for item in session.get_outputs()]
    values = session.run(names, {"input_ids": ids, "token_type_ids": np.zeros_like(ids)})
    known |= {name: value.shape for name, value in zip(names, values, strict=True)}
    total = 0
    for node in products:
        *outer, rows, columns = (1, *known[node.output[0]])
        total += 2 * int(np.prod(outer)) * rows * columns * known[node.input[0]][-1]
    return total
