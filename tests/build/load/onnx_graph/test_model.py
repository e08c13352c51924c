"""Weights read from a graph are compared with those of the torch module it was exported from."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor
from torch.nn import functional

from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.load.onnx_graph.model import model_from_onnx
from ernie_triton.build.model.encoder import named_arrays
from ernie_triton.build.model.heads import SequenceHead
from tests.build.load.arrays import Arrays, assert_same_arrays, expected_arrays, weights_of
from tests.build.load.exports import (
    HIDDEN,
    MaskFromIds,
    MaskFromInput,
    PrunedClassifier,
    WithoutMask,
    export,
    randomised,
    transformers_model,
)


@pytest.mark.parametrize("opset", [14, 17, 20])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", ["bert", "ernie", "roberta"])
def test_traced_exports_hold_the_module_s_weights(kind: str, attention: str, opset: int) -> None:
    source = transformers_model(kind, attention)
    model = model_from_onnx(export(MaskFromIds(source), opset))
    assert_same_arrays(model, expected_arrays(source))
    assert model.encoder.activation == "gelu"
    assert model.encoder.pad_token_id == source.config.pad_token_id
    assert model.encoder.embedding_norm.epsilon == 1e-12
    assert [layer.heads for layer in model.encoder.layers] == [3, 3]
    assert isinstance(model.head, SequenceHead)
    assert model.head.pooler_activation == "tanh"


# A mask that comes in as an input says nothing about the pad token, unless positions do (RoBERTa).
@pytest.mark.parametrize(("kind", "pad_token_id"), [("bert", 7), ("roberta", 1)])
def test_pad_token_is_the_default_where_the_graph_makes_no_mask(
    kind: str, pad_token_id: int
) -> None:
    graph = export(MaskFromInput(transformers_model(kind)))
    assert model_from_onnx(graph, default_pad_token_id=7).encoder.pad_token_id == pad_token_id


def test_graph_without_token_types_has_the_one_row_that_it_uses() -> None:
    source = transformers_model("ernie")
    expected = expected_arrays(source)
    expected["encoder.token_type"] = expected["encoder.token_type"][:1]
    assert_same_arrays(model_from_onnx(export(WithoutMask(source))), expected)


@pytest.mark.parametrize("opset", [14, 17])
def test_graph_of_fixed_length_has_the_positions_that_it_uses(opset: int) -> None:
    source = transformers_model("bert")
    graph = export(MaskFromIds(source), opset)
    for value in graph.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 2
        value.type.tensor_type.shape.dim[1].dim_value = 8
    assert_same_arrays(model_from_onnx(graph), expected_arrays(source))


def pruned_arrays(source: Any) -> Arrays:
    arrays = {
        "encoder.word": source.word.weight.detach().numpy(),
        "encoder.position": source.position.weight.detach().numpy(),
        "encoder.token_type": np.zeros((1, HIDDEN), np.float32),
        **weights_of(source.norm, "encoder.embedding_norm"),
        **weights_of(source.classifier, "head.output"),
    }
    for index, layer in enumerate(source.layers):
        for name, part in layer.named_children():
            if name != "spoil":
                arrays |= weights_of(part, f"encoder.layers.{index}.{name}")
    return arrays


# Heads and widths differ by layer; the scale is on the query; the mask is a masked_fill.
@pytest.mark.parametrize("opset", [14, 17, 20])
def test_pruned_shapes_are_read_layer_by_layer(opset: int) -> None:
    source = randomised(PrunedClassifier())
    model = model_from_onnx(export(source, opset))
    assert_same_arrays(model, pruned_arrays(source))
    assert [layer.heads for layer in model.encoder.layers] == [3, 1, 2]
    assert {layer.head_size for layer in model.encoder.layers} == {8}
    assert model.encoder.layers[0].output_norm.epsilon == 1e-5
    assert model.encoder.pad_token_id == 3
    assert isinstance(model.head, SequenceHead)
    assert model.head.pooler is None


def _gelu_tanh(x: Tensor) -> Tensor:
    return functional.gelu(x, approximate="tanh")


def _gelu_by_powers(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x.pow(3))))


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        (functional.gelu, "gelu"),
        (_gelu_tanh, "gelu_tanh"),
        (_gelu_by_powers, "gelu_tanh"),
        (functional.relu, "relu"),
        (torch.tanh, "tanh"),
    ],
)
@pytest.mark.parametrize("opset", [17, 20])
def test_activations_are_told_apart(
    activation: Callable[[Tensor], Tensor], name: str, opset: int
) -> None:
    graph = export(randomised(PrunedClassifier(activation)), opset)
    assert model_from_onnx(graph).encoder.activation == name


def test_the_canonical_padded_graph_is_read_back() -> None:
    source = transformers_model("ernie")
    model = model_from_onnx(export(MaskFromIds(source)))
    found = dict(named_arrays(model_from_onnx(export_onnx(model, "padded"))))
    for name, array in named_arrays(model):
        # The canonical graph holds the query with the attention's scale in it.
        np.testing.assert_allclose(found[name], array, rtol=1e-6, err_msg=name)


def test_weights_in_a_shared_initializer_and_under_casts_are_found() -> None:
    source = transformers_model("bert")
    with torch.no_grad():
        source.bert.encoder.layer[1].load_state_dict(source.bert.encoder.layer[0].state_dict())
    graph = export(MaskFromIds(source))
    for tensor in list(graph.graph.initializer):
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.ndim == 2:
            stored = f"{tensor.name}/double"
            graph.graph.initializer.append(numpy_helper.from_array(array.astype(float), stored))
            graph.graph.initializer.remove(tensor)
            cast = helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT)
            graph.graph.node.insert(0, cast)
    assert_same_arrays(model_from_onnx(graph), expected_arrays(source))
