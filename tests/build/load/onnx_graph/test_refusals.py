"""A graph with more than the canonical operations is refused, and the error names the node."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.load.onnx_graph.model import model_from_onnx
from ernie_triton.errors import UnrecognisedGraphError
from tests.build.load.exports import (
    HIDDEN,
    IDS,
    LABELS,
    MaskFromIds,
    PrunedClassifier,
    export,
    randomised,
    transformers_model,
)


def _swish(x: Tensor) -> Tensor:
    result: Tensor = x * torch.sigmoid(x)
    return result


class _Clip(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(-3, 3)


class _DifferentNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x / x.norm(dim=-1, keepdim=True)
        return result


@pytest.mark.parametrize(
    ("spoil", "spot"), [(_Clip(), "Clip node"), (_DifferentNorm(), "Div node")]
)
@pytest.mark.parametrize("index", [0, 1, 2])
def test_an_operator_more_between_layers_is_refused(
    spoil: nn.Module, spot: str, index: int
) -> None:
    source = PrunedClassifier()
    source.layers[index].spoil = spoil
    with pytest.raises(UnrecognisedGraphError, match=spot):
        model_from_onnx(export(randomised(source)))


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(UnrecognisedGraphError, match=r"Mul node .* is none of the activations"):
        model_from_onnx(export(randomised(PrunedClassifier(_swish))))


def test_a_missing_layer_normalisation_is_refused() -> None:
    source = PrunedClassifier()
    source.layers[1].attention_norm = nn.Identity()
    with pytest.raises(UnrecognisedGraphError, match=r"Add node .* with 3 variable terms"):
        model_from_onnx(export(randomised(source)))


def test_two_activations_in_one_model_are_refused() -> None:
    source = randomised(PrunedClassifier())
    graph = export(source, 20)
    gelu = [node for node in graph.graph.node if node.op_type == "Gelu"]
    gelu[0].op_type = "Relu"
    del gelu[0].attribute[:]
    with pytest.raises(UnrecognisedGraphError, match=r"activations \['gelu', 'relu'\]"):
        model_from_onnx(graph)


def test_a_causal_mask_is_refused() -> None:
    class Causal(PrunedClassifier):
        def forward(self, ids: Tensor) -> Tensor:
            x = self.norm(self.word(ids) + self.position(torch.arange(ids.shape[1])[None]))
            tokens = torch.arange(ids.shape[1])
            mask = (tokens[:, None] < tokens[None])[None, None]
            for layer in self.layers:
                x = layer(x, mask, self.activation)
            logits: Tensor = self.classifier(x[:, 0])
            return logits

    with pytest.raises(UnrecognisedGraphError, match="texts without padding"):
        model_from_onnx(export(randomised(Causal())))


def test_another_token_than_the_first_is_refused() -> None:
    class Second(PrunedClassifier):
        def forward(self, ids: Tensor) -> Tensor:
            x = self.norm(self.word(ids) + self.position(torch.arange(ids.shape[1])[None]))
            for layer in self.layers:
                x = layer(x, (ids == 3)[:, None, None, :], self.activation)
            logits: Tensor = self.classifier(x[:, 1])
            return logits

    with pytest.raises(UnrecognisedGraphError, match=r"Gather node .* expected the first token"):
        model_from_onnx(export(randomised(Second())))


def test_swapped_heads_are_refused() -> None:
    graph = export(randomised(PrunedClassifier()))
    turned = next(n for n in graph.graph.node if n.op_type == "Transpose" and len(n.attribute))
    turned.attribute[0].ints[:] = [0, 2, 1, 3] if turned.attribute[0].ints[1] != 2 else [2, 0, 1, 3]
    with pytest.raises(UnrecognisedGraphError):
        model_from_onnx(graph)


def test_a_convolutional_classifier_is_refused() -> None:
    class TextCnn(nn.Module):
        inputs = (IDS,)

        def __init__(self) -> None:
            super().__init__()
            self.word = nn.Embedding(60, HIDDEN)
            self.convolution = nn.Conv1d(HIDDEN, 8, 3)
            self.classifier = nn.Linear(8, LABELS)

        def forward(self, ids: Tensor) -> Tensor:
            features = self.convolution(self.word(ids).transpose(1, 2)).relu()
            logits: Tensor = self.classifier(features.amax(-1))
            return logits

    with pytest.raises(UnrecognisedGraphError, match="before the ReduceMax node"):
        model_from_onnx(export(randomised(TextCnn())))


def test_a_graph_of_other_inputs_and_outputs_is_refused() -> None:
    source = export(MaskFromIds(transformers_model("bert")))
    image = onnx.ModelProto.FromString(source.SerializeToString())
    image.graph.input[0].type.tensor_type.shape.dim.add().dim_value = 3
    with pytest.raises(UnrecognisedGraphError, match="'input_ids' has 3 dimensions"):
        model_from_onnx(image)
    source.graph.output.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, None))
    with pytest.raises(UnrecognisedGraphError, match="2 outputs"):
        model_from_onnx(source)


# Every value on the way is scaled, and every one is shifted: nothing goes unnoticed.
@pytest.mark.parametrize("operator", ["Mul", "Add"])
def test_a_changed_graph_is_refused_or_read_as_changed(operator: str) -> None:
    graph = export(randomised(PrunedClassifier(shapes=((3, 40), (1, 16)))))
    inferred = onnx.shape_inference.infer_shapes(graph).graph.value_info
    floats = [v.name for v in inferred if v.type.tensor_type.elem_type == TensorProto.FLOAT]
    assert len(floats) > 50
    ids = np.random.default_rng(0).integers(5, 60, (3, 9))
    ids[1, 6:] = 3
    refused = 0
    for name in floats:
        changed = with_operator_after(graph, name, operator, 1.05)
        try:
            model = model_from_onnx(changed)
        except UnrecognisedGraphError:
            refused += 1
            continue
        canonical = export_onnx(model, "padded")
        feeds = {IDS: ids.astype(np.int32), "token_type_ids": np.zeros(ids.shape, np.int32)}
        np.testing.assert_allclose(
            logits(canonical, feeds), logits(changed, {IDS: ids}), atol=1e-4, err_msg=name
        )
    assert 0 < refused < len(floats)


def with_operator_after(
    graph: onnx.ModelProto, name: str, operator: str, number: float
) -> onnx.ModelProto:
    changed = onnx.ModelProto()
    changed.CopyFrom(graph)
    index, node = next((i, n) for i, n in enumerate(changed.graph.node) if name in n.output)
    node.output[list(node.output).index(name)] = f"{name}/before"
    constant = numpy_helper.from_array(np.asarray(number, np.float32), "number")
    changed.graph.initializer.append(constant)
    added = helper.make_node(operator, [f"{name}/before", "number"], [name])
    changed.graph.node.insert(index + 1, added)
    return changed


def logits(graph: onnx.ModelProto, feeds: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    result: npt.NDArray[np.float32] = session.run(None, feeds)[0]
    return result


def test_an_unknown_operator_is_refused() -> None:
    graph = export(randomised(PrunedClassifier()))
    softmax = next(node for node in graph.graph.node if node.op_type == "Softmax")
    softmax.domain = "com.example"
    with pytest.raises(UnrecognisedGraphError, match=r"com\.example\.Softmax node"):
        model_from_onnx(graph)
