"""Graphs of torch's newer exporter, which takes seconds: one graph of every head is cut for each.

The heads stand on one encoder. A test takes the outputs that a graph of its head alone would have.
"""

import functools
from typing import Any, NamedTuple

import onnx
import onnx.utils
import pytest
from torch import Tensor, nn

from ernie_triton.build.load.onnx_graph.model import model_from_onnx
from ernie_triton.build.model.heads import VectorHead
from tests.build.load.arrays import assert_same_arrays, expected_arrays, without_pooler
from tests.build.load.exports import HEADS, IDS, MASK, TYPES, export, transformers_model
from tests.build.load.onnx_graph.test_heads import first_token, mean, mean_of_filled

OUTPUTS = {
    "sequence": ("logits",),
    "token": ("token_logits",),
    "span": ("start", "end"),
    "vector": ("hidden", "pooler"),
}
EXPORTS = [("ernie", "eager", 18), ("bert", "sdpa", 20)]
"""RoBERTa's places and pooling are read from traced graphs: `test_model`, `test_heads`."""


class EveryHead(nn.Module):
    """The heads of every task on one encoder, and vectors pooled in every way."""

    inputs = (IDS, TYPES, MASK)
    names = (
        *(name for names in OUTPUTS.values() for name in names),
        *("start_unstacked", "end_unstacked", "first", "mean", "mean_of_filled"),
    )

    def __init__(self, models: dict[str, Any]) -> None:
        super().__init__()
        self.encoder = models["vector"]
        self.sequence, self.token = models["sequence"].classifier, models["token"].classifier
        self.span = models["span"].qa_outputs

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        outputs = self.encoder(ids, mask, types, return_dict=False)
        states, pooled = outputs
        scores = self.span(states)
        start, end = (column.squeeze(-1) for column in scores.split(1, dim=-1))
        poolings = [pool(outputs, mask) for pool in (first_token, mean, mean_of_filled)]
        logits = self.sequence(pooled)
        # As in PaddleNLP, columns are moved to the front, then split.
        columns = scores.permute(2, 0, 1).unbind(0)
        return (logits, self.token(states), start, end, states, pooled, *columns, *poolings)


class Exported(NamedTuple):
    """Models by head, which share their encoder, and the graph of all of them."""

    models: dict[str, Any]
    graph: onnx.ModelProto

    def cut(self, *outputs: str) -> onnx.ModelProto:
        """The graph of some outputs alone, by their names in `EveryHead`."""
        names = dict(zip(EveryHead.names, self.graph.graph.output, strict=True))
        inputs = [item.name for item in self.graph.graph.input]
        kept = [names[output].name for output in outputs]
        return onnx.utils.Extractor(self.graph).extract_model(inputs, kept)


@functools.cache
def exported(kind: str, attention: str, opset: int) -> Exported:
    models = {head: transformers_model(kind, attention, head) for head in HEADS}
    for head in ("sequence", "token", "span"):
        setattr(models[head], models[head].base_model_prefix, models["vector"])
    return Exported(models, export(EveryHead(models), opset, dynamo=True))


@pytest.mark.parametrize(("kind", "attention", "opset"), EXPORTS)
@pytest.mark.parametrize("head", OUTPUTS)
def test_they_hold_the_module_s_weights(head: str, kind: str, attention: str, opset: int) -> None:
    found = exported(kind, attention, opset)
    model = model_from_onnx(found.cut(*OUTPUTS[head]), head)
    assert_same_arrays(model, expected_arrays(found.models[head], head))


def test_transposed_and_unstacked_columns_are_followed() -> None:
    found = exported("bert", "sdpa", 20)
    model = model_from_onnx(found.cut("start_unstacked", "end_unstacked"), "span")
    assert_same_arrays(model, expected_arrays(found.models["span"], "span"))


@pytest.mark.parametrize(
    ("outputs", "pooling"),
    [
        (("hidden",), "cls"),
        (("first",), "cls"),
        (("pooler",), "pooler"),
        (("mean",), "mean"),
        (("mean_of_filled",), "mean"),
        (("hidden", "first"), "cls"),
        (("hidden", "mean"), "mean"),
        (("hidden", "pooler"), "cls"),
    ],
)
def test_vectors_say_how_they_are_pooled(outputs: tuple[str, ...], pooling: str) -> None:
    found = exported("bert", "sdpa", 20)
    model = model_from_onnx(found.cut(*outputs), "vector")
    expected = expected_arrays(found.models["vector"], "vector")
    assert_same_arrays(model, expected if "pooler" in outputs else without_pooler(expected))
    assert isinstance(model.head, VectorHead)
    assert model.head.pooling == pooling
    assert model.head.pooler_activation == ("tanh" if "pooler" in outputs else "identity")
