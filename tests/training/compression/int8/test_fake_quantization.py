"""The rounded torch model is the INT8 graph: the same numbers, with gradients."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ernie_triton.build.convert.conversion import calibrated_scales
from ernie_triton.build.convert.quantization import Int8Graphs
from ernie_triton.build.graph.cpu_int8 import WORD_TABLE
from ernie_triton.build.graph.export import quantizable_linears
from ernie_triton.build.graph.numerics import EXACT_INT8_STEPS, INT8_STEPS, int8_weight
from ernie_triton.build.model.models import trim_model
from ernie_triton.build.random_models.torch_export import model_from_classifier
from ernie_triton.errors import CheckpointError
from ernie_triton.training.compression.int8.fake_quantization import (
    rounded_input,
    rounded_rows,
    rounding,
)
from tests.build.models import graph_logits, random_rows, spec_of, transformers_logits

BATCH = random_rows((9, 2, 60, 33, 12, 5))


@pytest.mark.parametrize("steps", [INT8_STEPS, EXACT_INT8_STEPS])
def test_weights_are_rounded_as_the_graph_s(steps: int) -> None:
    weight = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    weight[2] = 0.0
    values, scales = int8_weight(weight.numpy().T, np.float32, steps)
    expected = (values * scales).T
    np.testing.assert_allclose(rounded_rows(weight, steps).numpy(), expected, rtol=0, atol=1e-7)


def test_inputs_are_rounded_to_even_and_clipped_at_both_ends() -> None:
    values = torch.tensor([0.24, 0.25, 0.75, -0.25, -0.75, 63.4, 63.9, -64.0, -64.4, 1e9])
    found = rounded_input(values, torch.tensor(0.5))
    assert found.tolist() == [0.0, 0.0, 1.0, 0.0, -1.0, 63.5, 63.5, -64.0, -64.0, 63.5]


def test_gradients_pass_through_rounding_and_stop_at_clipping() -> None:
    values = torch.tensor([0.2, 63.4, 63.9, -64.4], requires_grad=True)
    (rounded_input(values, torch.tensor(0.5)) @ torch.tensor([1.0, 2.0, 3.0, 4.0])).backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    assert values.grad.tolist() == [1.0, 2.0, 0.0, 0.0]
    weight = torch.tensor([[0.2, 1.0]], requires_grad=True)
    (rounded_rows(weight) @ torch.tensor([5.0, 6.0])).sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert weight.grad.tolist() == [[5.0, 6.0]]


@pytest.mark.parametrize("kept", [(), (WORD_TABLE, "layer_1/output", "layer_0/attention/query")])
@pytest.mark.parametrize("pair", [False, True])
def test_the_rounded_model_answers_as_the_graph(
    ernie: Any, kept: tuple[str, ...], pair: bool
) -> None:
    model = trim_model(model_from_classifier(ernie), max_length=128, pair=pair)
    scales = calibrated_scales(model, BATCH, "percentile")
    spec = spec_of(engine="onnxruntime", precision="int8", pair=pair)
    graph = Int8Graphs(model=model, spec=spec, scales=scales).graph(kept)
    expected = graph_logits(graph, BATCH.packed())
    plain = transformers_logits(ernie, BATCH)
    with rounding(ernie, scales, pair=pair, kept=kept):
        found = transformers_logits(ernie, BATCH)
    # A value between two steps may be rounded otherwise after a sum in another order.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert np.abs(found - plain).max() > 1e-3


def test_the_model_gets_its_own_layers_back(ernie: Any) -> None:
    before = {name: id(module) for name, module in ernie.named_modules()}
    state = {name: tensor.clone() for name, tensor in ernie.state_dict().items()}
    scales = dict.fromkeys(quantizable_linears(model_from_classifier(ernie), "packed"), 0.1)
    manager = rounding(ernie, scales, pair=False)
    manager.__enter__()
    assert {name: id(module) for name, module in ernie.named_modules()} != before
    assert ernie.state_dict().keys() == state.keys()
    assert {name for name, _ in ernie.named_parameters()} <= state.keys()
    assert not manager.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert {name: id(module) for name, module in ernie.named_modules()} == before


def test_training_reaches_the_plain_weights(ernie: Any) -> None:
    linear = ernie.ernie.encoder.layer[0].output.dense
    scales = {"layer_0/output": 0.05}
    with rounding(ernie, scales, pair=False):
        ids = torch.tensor([[2, 7, 9, 11]])
        ernie(input_ids=ids).logits.sum().backward()
        rounded = ernie.ernie.encoder.layer[0].output.dense
    assert type(rounded) is not nn.Linear
    assert linear.weight.grad is not None
    assert linear.weight.grad.abs().sum() > 0
    assert ernie.ernie.embeddings.word_embeddings.weight.grad[7].abs().sum() > 0
    ernie.zero_grad()


def test_a_model_without_such_a_layer_is_refused(ernie: Any) -> None:
    manager = rounding(ernie, {"layer_5/output": 0.1}, pair=False)
    with pytest.raises(CheckpointError, match=r"encoder\.layer\.5\.output\.dense"):
        manager.__enter__()
