"""Outputs of another task are refused, and the error names that task."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto
from torch import Tensor, nn

from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.load.onnx_graph.dataflow import Dataflow
from ernie_triton.build.load.onnx_graph.heads import read_head
from ernie_triton.build.load.onnx_graph.inputs import make_probe_batches
from ernie_triton.build.load.onnx_graph.model import model_from_onnx
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.errors import OtherTaskError, UnrecognisedGraphError
from tests.build.load.exports import (
    HIDDEN,
    IDS,
    MASK,
    TYPES,
    MaskFromIds,
    MaskFromInput,
    Outputs,
    Select,
    all_outputs,
    export,
    randomised,
    transformers_model,
)
from tests.build.load.onnx_graph.test_heads import first_token, mean, pooler_only
from tests.build.load.onnx_graph.test_refusals import with_operator_after

NAMED = {
    "sequence": "scores whole texts; build it with --task seq_cls or multi_label or regression or "
    "rerank",
    "token": "scores every token; build it with --task token_cls",
    "span": "as the start and the end of an answer; build it with --task qa",
    "vector": "gives vectors and no scores; build it with --task embedding",
}


@pytest.mark.parametrize("head", NAMED)
def test_graph_of_another_task_is_refused_with_the_name_of_its_task(head: str) -> None:
    graph = export(MaskFromIds(transformers_model("bert", head=head)))
    for other in NAMED.keys() - {head}:
        with pytest.raises(OtherTaskError, match=NAMED[head]):
            model_from_onnx(graph, other)


def test_two_scores_a_token_are_named_as_both_tasks_that_have_them() -> None:
    graph = export(MaskFromIds(transformers_model("bert", head="token", num_labels=2)))
    with pytest.raises(OtherTaskError, match="--task token_cls or qa"):
        model_from_onnx(graph, "sequence")


def softmax(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[0].softmax(-1)


def tokens_first(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[0].transpose(0, 1)


def with_decisions(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[0], outputs[0].argmax(-1)


@pytest.mark.parametrize(
    ("select", "spot"),
    [
        (softmax, "Softmax node"),
        (tokens_first, "Transpose node"),
        (with_decisions, "2 outputs"),
    ],
)
def test_scores_of_tokens_in_another_form_are_refused(select: Select, spot: str) -> None:
    graph = export(MaskFromIds(transformers_model("bert", head="token"), select))
    with pytest.raises(UnrecognisedGraphError, match=spot):
        model_from_onnx(graph, "token")


def test_a_layer_between_the_encoder_and_the_scores_is_refused() -> None:
    source = transformers_model("bert", head="token")
    source.classifier = nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 5))
    with pytest.raises(UnrecognisedGraphError, match=r"Tanh node .* last layer normalisation"):
        model_from_onnx(export(MaskFromIds(randomised(source))), "token")


def same_column(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[0], outputs[0] + 0


def sum_and_end(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[0] + outputs[1], outputs[1]


def probabilities(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[0].sigmoid(), outputs[1].sigmoid()


def not_squeezed(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[0][..., None], outputs[1][..., None]


@pytest.mark.parametrize(
    ("select", "spot"),
    [
        (same_column, r"columns 0 and 0"),
        (sum_and_end, r"Add node .* found 0 values"),
        (probabilities, r"Sigmoid node .* found 0 values"),
        (not_squeezed, r"expected one score of every token, as \[texts, tokens\]"),
    ],
)
def test_spans_in_another_form_are_refused(select: Select, spot: str) -> None:
    graph = export(MaskFromIds(transformers_model("bert", head="span"), select))
    with pytest.raises(UnrecognisedGraphError, match=spot):
        model_from_onnx(graph, "span")


class TwoLayers(MaskFromIds):
    """Start and end scores from one layer each, as in UIE: nothing tells them apart."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.start, self.end = nn.Linear(HIDDEN, 1), nn.Linear(HIDDEN, 1)

    def forward(self, ids: Tensor, types: Tensor) -> Outputs:
        hidden = self.model(ids, token_type_ids=types)[0]
        return self.start(hidden).squeeze(-1), self.end(hidden).squeeze(-1)


def test_start_and_end_from_two_layers_are_refused() -> None:
    source = TwoLayers(transformers_model("bert", head="vector"))
    with pytest.raises(UnrecognisedGraphError, match="both columns of one linear layer"):
        model_from_onnx(export(randomised(source)), "span")


def mean_with_padding(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[0].mean(1)


def mean_without_first(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[0][:, 1:].mean(1)


def second_token(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[0][:, 1]


@pytest.mark.parametrize("select", [mean_without_first, second_token, mean_with_padding])
def test_another_pooling_is_refused(select: Select) -> None:
    source = transformers_model("bert", head="vector")
    with pytest.raises(
        UnrecognisedGraphError,
        match="expected the last hidden state's first token, another pooling",
    ):
        model_from_onnx(export(MaskFromInput(source, select)), "vector")


def test_a_mean_of_other_padding_than_attention_hides_is_refused() -> None:
    source = transformers_model("bert", head="vector")
    with pytest.raises(UnrecognisedGraphError, match=r"\[\], but attention hides \[0\]"):
        model_from_onnx(export(MaskFromIds(source, mean_with_padding)), "vector")


def two_vectors(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[1], outputs[0][:, 0]


def test_two_vectors_of_a_text_are_refused() -> None:
    source = transformers_model("bert", head="vector")
    with pytest.raises(UnrecognisedGraphError, match="a vector of each text, or these two"):
        model_from_onnx(export(MaskFromIds(source, two_vectors)), "vector")


def vector_of_the_first_layer(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[0], outputs[2][1][:, 0]


def test_a_vector_of_another_layer_beside_the_hidden_state_is_refused() -> None:
    source = transformers_model("bert", head="vector", output_hidden_states=True)
    with pytest.raises(UnrecognisedGraphError, match="but the hidden state beside it"):
        model_from_onnx(export(MaskFromIds(source, vector_of_the_first_layer)), "vector")


# As for the layers: whatever is scaled or shifted after them, nothing goes unnoticed.
@pytest.mark.parametrize("operator", ["Mul", "Add"])
@pytest.mark.parametrize(
    ("head", "select"),
    [
        ("token", all_outputs),
        ("span", all_outputs),
        ("vector", first_token),
        ("vector", pooler_only),
        ("vector", mean),
    ],
)
def test_a_changed_head_is_refused_or_read_as_changed(
    head: str, select: Select, operator: str
) -> None:
    graph = export(MaskFromInput(transformers_model("bert", head=head), select))
    names = values_of_head(graph, head)
    assert names
    for name in names:
        changed = with_operator_after(graph, name, operator, 1.05)
        try:
            model = model_from_onnx(changed, head)
        except UnrecognisedGraphError:
            continue
        canonical = outputs_of(export_onnx(model, "padded"), np.int32)
        for found, right in zip(canonical, outputs_of(changed, np.int64), strict=True):
            np.testing.assert_allclose(found, right, rtol=0, atol=1e-4, err_msg=name)


def values_of_head(graph: onnx.ModelProto, head: str) -> list[str]:
    """The float values between the last hidden state and the outputs, themselves included."""
    flow = Dataflow(graph)
    hidden = read_head(Reading(flow=flow, batches=make_probe_batches(flow)), head).hidden
    inferred = onnx.shape_inference.infer_shapes(graph).graph
    floats = {
        value.name
        for value in (*inferred.value_info, *inferred.output)
        if value.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    nodes = [n for output in flow.outputs for n in flow.nodes_between(output, {hidden: None})]
    return [n for n in dict.fromkeys(o for node in nodes for o in node.outputs) if n in floats]


def outputs_of(graph: onnx.ModelProto, integer: type) -> list[npt.NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ids = np.random.default_rng(0).integers(5, 60, (3, 9))
    feeds = {IDS: ids, TYPES: np.zeros_like(ids), MASK: np.ones_like(ids)}
    names = [item.name for item in session.get_inputs()]
    result: list[npt.NDArray[np.float32]] = session.run(
        None, {name: feeds[name].astype(integer) for name in names}
    )
    return result
