"""The heads of every task, read from torch exports and compared with the modules' own weights."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from ernie_triton.batch import packed_width
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.load.onnx_graph.model import model_from_onnx
from ernie_triton.build.model.encoder import named_arrays
from ernie_triton.build.model.heads import SpanHead, TokenHead, VectorHead
from tests.build.load.arrays import assert_same_arrays, expected_arrays, without_pooler
from tests.build.load.exports import (
    IDS,
    TYPES,
    MaskFromIds,
    MaskFromInput,
    Outputs,
    Select,
    WithoutMask,
    all_outputs,
    export,
    transformers_model,
)

HEADS = {"token": TokenHead, "span": SpanHead, "vector": VectorHead}
Wrapper = type[MaskFromIds] | type[MaskFromInput] | type[WithoutMask]


def hidden_only(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[0]


def pooler_only(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[1]


def first_token(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[0][:, 0]


def mean(outputs: tuple[Tensor, ...], mask: Tensor) -> Outputs:
    """As sentence-transformers writes it."""
    expanded = mask.unsqueeze(-1).expand(outputs[0].size()).float()
    return (outputs[0] * expanded).sum(1) / expanded.sum(1).clamp(min=1e-9)


def mean_of_filled(outputs: tuple[Tensor, ...], mask: Tensor) -> Outputs:
    filled = outputs[0].masked_fill(~mask[..., None].bool(), 0.0)
    return filled.sum(dim=1) / mask.sum(dim=1)[..., None]


def hidden_and(select: Select) -> Select:
    def both(outputs: tuple[Tensor, ...], mask: Tensor) -> Outputs:
        vector = select(outputs, mask)
        assert isinstance(vector, Tensor)
        return outputs[0], vector

    return both


def mean_of_all(outputs: tuple[Tensor, ...], _mask: Tensor) -> Outputs:
    return outputs[0].mean(dim=1)


@pytest.mark.parametrize("opset", [14, 17, 20])
@pytest.mark.parametrize("kind", ["bert", "ernie", "roberta"])
@pytest.mark.parametrize("head", ["token", "span", "vector"])
def test_traced_exports_hold_the_module_s_weights(head: str, kind: str, opset: int) -> None:
    source = transformers_model(kind, "sdpa" if opset == 17 else "eager", head)
    model = model_from_onnx(export(MaskFromIds(source), opset), head)
    assert isinstance(model.head, HEADS[head])
    assert_same_arrays(model, expected_arrays(source, head))
    assert model.encoder.pad_token_id == source.config.pad_token_id


class SwappedSpans(MaskFromIds):
    """The end scores first."""

    def forward(self, ids: Tensor, types: Tensor) -> Outputs:
        start, end = super().forward(ids, types)
        return end, start


def test_start_and_end_are_told_by_their_columns_not_by_their_order() -> None:
    source = transformers_model("bert", head="span")
    model = model_from_onnx(export(SwappedSpans(source)), "span")
    assert_same_arrays(model, expected_arrays(source, "span"))


class StackedSpans(MaskFromIds):
    """Start and end scores in one output."""

    def forward(self, ids: Tensor, types: Tensor) -> Outputs:
        scores: Tensor = self.model.qa_outputs(self.model.bert(ids, token_type_ids=types)[0])
        return scores


@pytest.mark.parametrize("head", ["span", "token"])
def test_two_scores_a_token_are_what_the_task_says(head: str) -> None:
    source = transformers_model("bert", head="span")
    model = model_from_onnx(export(StackedSpans(source)), head)
    assert isinstance(model.head, HEADS[head])
    assert_same_arrays(model, expected_arrays(source, "span"))


class UnstackedSpans(MaskFromIds):
    """PaddleNLP's order: columns are moved to the front, then split."""

    def forward(self, ids: Tensor, types: Tensor) -> Outputs:
        hidden = self.model.bert(ids, token_type_ids=types)[0]
        return tuple(self.model.qa_outputs(hidden).permute(2, 0, 1).unbind(0))


def test_transposed_and_unstacked_columns_are_followed() -> None:
    source = transformers_model("bert", head="span")
    graph = export(UnstackedSpans(source), 18)
    assert_same_arrays(model_from_onnx(graph, "span"), expected_arrays(source, "span"))


@pytest.mark.parametrize(
    ("select", "pooling"),
    [
        (hidden_only, "cls"),
        (first_token, "cls"),
        (pooler_only, "pooler"),
        (mean, "mean"),
        (mean_of_filled, "mean"),
        (hidden_and(first_token), "cls"),
        (hidden_and(mean), "mean"),
        (hidden_and(pooler_only), "cls"),
    ],
)
@pytest.mark.parametrize(("wrapper", "opset"), [(MaskFromIds, 14), (MaskFromInput, 17)])
def test_vectors_say_how_they_are_pooled(
    select: Select, pooling: str, wrapper: Wrapper, opset: int
) -> None:
    source = transformers_model("ernie", head="vector")
    graph = export(wrapper(source, select), opset)
    pooler = "Tanh" in {node.op_type for node in graph.graph.node}
    model = model_from_onnx(graph, "vector")
    expected = expected_arrays(source, "vector")
    assert_same_arrays(model, expected if pooler else without_pooler(expected))
    assert isinstance(model.head, VectorHead)
    assert model.head.pooling == pooling
    assert model.head.pooler_activation == ("tanh" if pooler else "identity")


def test_mean_of_all_tokens_is_read_where_texts_have_no_padding() -> None:
    source = transformers_model("bert", head="vector")
    model = model_from_onnx(export(WithoutMask(source, mean_of_all)), "vector")
    assert isinstance(model.head, VectorHead)
    assert model.head.pooling == "mean"


def run(graph: onnx.ModelProto, feeds: dict[str, Any]) -> list[npt.NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    result: list[npt.NDArray[np.float32]] = session.run(None, feeds)
    return result


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
def test_both_layouts_of_what_was_read_give_what_the_module_gives(
    head: str, select: Select
) -> None:
    source = transformers_model("ernie", head=head)
    module = MaskFromIds(source, select)
    model = model_from_onnx(export(module), head)
    random, lengths = np.random.default_rng(0), np.array([9, 4, 7], np.int32)
    real = np.arange(9) < lengths[:, None]
    ids = np.where(real, random.integers(5, 60, real.shape), 0)
    types = np.where(real, random.integers(0, 4, real.shape), 0)
    with torch.inference_mode():
        output = module(torch.from_numpy(ids), torch.from_numpy(types))
    expected = [t.numpy() for t in (output if isinstance(output, tuple) else (output,))]
    feeds = {IDS: ids.astype(np.int32), TYPES: types.astype(np.int32)}
    padded = run(export_onnx(model, "padded"), feeds)
    packed_feeds = {name: values[real] for name, values in feeds.items()}
    packed_feeds |= {"lengths": lengths, "width": packed_width(lengths)}
    packed = run(export_onnx(model, "packed"), packed_feeds)
    if head != "vector":  # what padding is given does not matter
        expected, padded = ([array[real] for array in arrays] for arrays in (expected, padded))
    for arrays in (padded, packed):
        for found, right in zip(arrays, expected, strict=True):
            np.testing.assert_allclose(found, right, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("head", "select"), [("token", all_outputs), ("span", all_outputs), ("vector", mean)]
)
def test_the_canonical_padded_graph_is_read_back(head: str, select: Select) -> None:
    source = transformers_model("ernie", head=head)
    model = model_from_onnx(export(MaskFromIds(source, select)), head)
    found = dict(named_arrays(model_from_onnx(export_onnx(model, "padded"), head)))
    for name, array in named_arrays(model):
        np.testing.assert_allclose(found[name], array, rtol=1e-6, err_msg=name)
