"""Importance is the measured effect on the loss."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ernie_triton.build.torch_models.layer_widths import layers_of
from ernie_triton.errors import CheckpointError
from ernie_triton.training.compression.pruning.importance import (
    measure_importance,
    weight_importance,
)
from tests.build.load.exports import transformers_model
from tests.training.compression.teachers import multiplied, prepared_teacher

STEP = 1e-4


@contextmanager
def hidden_multiplied(layer: Any, factors: torch.Tensor) -> Iterator[None]:
    """The token vectors between attention and feed-forward, times a factor for each feature."""
    handle = layer.attention.output.register_forward_hook(lambda *io: io[2] * factors.to(io[2]))
    try:
        yield
    finally:
        handle.remove()


def effect(model: Any, example: Any, loss: Any, place: Any, features: slice, count: int) -> float:
    """|dL/dm| of a part by central differences of its mask."""
    losses = []
    for step in (STEP, -STEP):
        factors = torch.ones(count, dtype=torch.float64)
        factors[features] += step
        with torch.no_grad(), place(factors):
            losses.append(float(loss(model, example)))
    return abs(losses[0] - losses[1]) / (2 * STEP)


@pytest.mark.parametrize("name", ["tnews", "afqmc", "similarity", "cmrc2018"])
def test_importance_is_the_mean_effect_by_finite_differences(tmp_path: Path, name: str) -> None:
    prepared = prepared_teacher(tmp_path, name, train=3)
    model, task = prepared.model.double(), prepared.task

    def loss(model: Any, batch: Any) -> Any:
        # In float64, without which differences are lost in rounding.
        known = {key: t.double() if t.is_floating_point() else t for key, t in batch.items()}
        return _float64_loss(task, model, known)

    rows = task.rows(prepared.data.train)[:3]
    found = measure_importance(model, [task.collate(rows)], loss)
    alone = [task.collate([row]) for row in rows]
    for index, layer in enumerate(layers_of(model)):

        def heads(factors: torch.Tensor, layer: Any = layer) -> Any:
            return multiplied(layer, "heads", factors)

        def neurons(factors: torch.Tensor, layer: Any = layer) -> Any:
            return multiplied(layer, "neurons", factors)

        for head in range(4):
            features = slice(head * 8, head * 8 + 8)
            expected = np.mean([effect(model, one, loss, heads, features, 32) for one in alone])
            assert found.heads[index][head] == pytest.approx(expected, rel=1e-4, abs=1e-9)
        for neuron in (0, 17, 63):
            features = slice(neuron, neuron + 1)
            expected = np.mean([effect(model, one, loss, neurons, features, 64) for one in alone])
            assert found.neurons[index][neuron] == pytest.approx(expected, rel=1e-4, abs=1e-9)
    assert [scores.shape for scores in found.neurons] == [(64,), (64,)]
    assert found.hidden.shape == (32,)
    assert (found.hidden >= 0).all()


def _float64_loss(task: Any, model: Any, batch: Any) -> torch.Tensor:
    """The tasks' losses written out in float64."""
    cross_entropy = torch.nn.functional.cross_entropy
    answer = model(**task.inputs(batch))
    if "start_positions" in batch:
        hidden = batch["attention_mask"] == 0
        starts, ends = (
            cross_entropy(logits.masked_fill(hidden, -1e4), batch[f"{name}_positions"])
            for name, logits in (("start", answer.start_logits), ("end", answer.end_logits))
        )
        return (starts + ends) / 2
    if batch["labels"].is_floating_point():
        return torch.nn.functional.mse_loss(answer.logits[:, 0], batch["labels"])
    return cross_entropy(answer.logits, batch["labels"])


def test_examples_of_opposite_effect_do_not_cancel(tmp_path: Path) -> None:
    prepared = prepared_teacher(tmp_path, "tnews", train=6)
    task, rows = prepared.task, prepared.task.rows(prepared.data.train)

    def loss(model: Any, batch: Any) -> Any:
        return task.loss(model, dict(batch))

    together = measure_importance(prepared.model, [task.collate(rows)], loss)
    apart = [measure_importance(prepared.model, [task.collate([row])], loss) for row in rows]
    for part in ("heads", "neurons"):
        for layer in range(2):
            mean = np.mean([getattr(one, part)[layer] for one in apart], axis=0)
            np.testing.assert_allclose(getattr(together, part)[layer], mean, rtol=1e-3, atol=1e-6)
    assert all(parameter.grad is None for parameter in prepared.model.parameters())


def test_importance_needs_examples(tmp_path: Path) -> None:
    prepared = prepared_teacher(tmp_path, "tnews", train=1)
    with pytest.raises(CheckpointError, match="no examples to measure importance on"):
        measure_importance(prepared.model, [], lambda *_: torch.zeros(()))


def test_the_size_of_weights_finds_a_head_and_a_neuron_that_do_nothing() -> None:
    model = transformers_model("bert")
    before = weight_importance(model)
    layer = layers_of(model)[1]
    with torch.no_grad():
        layer.attention.self.value.weight.mul_(3.0)
        layer.attention.output.dense.weight[:, 8:16] = 0.0
        layer.output.dense.weight[:, 11] = 0.0
        layer.intermediate.dense.weight[7].mul_(4.0)
        layer.output.dense.weight[:, 7].div_(4.0)
    after = weight_importance(model)
    assert after.heads[1][1] == 0.0
    assert after.neurons[1][11] == 0.0
    assert after.neurons[1][7] == pytest.approx(before.neurons[1][7])
    np.testing.assert_array_equal(after.heads[0], before.heads[0])
