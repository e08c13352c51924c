"""Importance of each part of a model: attention heads, feed-forward neurons, hidden features.

Removing a part that is multiplied by a mask m = 1 changes the loss by about |dL/dm|. dL/dm is the
sum over the part's outputs of output times gradient (Michel et al. 2019, arxiv.org/abs/1905.10650;
DynaBERT, arxiv.org/abs/2004.04037, section 2.1). The absolute value is taken for each example, so
that effects of opposite sign do not cancel.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ernie_triton.arrays import Float64
from ernie_triton.build.torch_models.layer_widths import head_size_of, layers_of
from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.errors import CheckpointError
from ernie_triton.training.compression.preparation import PreparedModel
from ernie_triton.training.loop.training import Loss
from ernie_triton.training.tasks import Batch

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Importance:
    """Mean absolute effect on an example's loss, to first order.

    Attributes:
        heads: heads of each layer, float64 [heads].
        neurons: neurons of each layer, float64 [feed-forward].
        hidden: features of the token vectors, summed over the layers, float64 [hidden].
    """

    heads: tuple[Float64, ...]
    neurons: tuple[Float64, ...]
    hidden: Float64


def measure_importance(
    model: "PreTrainedModel", batches: Iterable[Batch], loss: "Loss"
) -> Importance:
    """Measure importance by the loss on examples.

    Args:
        model: put into evaluation mode; its weights' gradients are cleared.
        batches: collated, with their labels.
        loss: the mean over a batch's examples, with equal weight for each.

    Raises:
        CheckpointError: there are no batches.
    """
    model.train(mode=False)
    sums: dict[str, Tensor] = {}
    examples = 0
    for batch in batches:
        rows = len(batch["input_ids"])
        with _recorded(model) as parts:
            total: Any = loss(model, batch) * rows
            total.backward()
        model.zero_grad(set_to_none=True)
        for name, part in parts.items():
            # Over the tokens of each example; [rows, features].
            effects = (part.detach() * part.grad).double().sum(dim=1)
            found = _by_group(name, effects, head_size_of(model)).abs().sum(dim=0)
            sums[name] = sums[name] + found if name in sums else found
        examples += rows
    if not examples:
        raise CheckpointError("there are no examples to measure importance on; expected at least 1")
    means = {name: np.asarray(total.cpu().numpy() / examples) for name, total in sums.items()}
    count = len(layers_of(model))
    return Importance(
        heads=tuple(means[f"heads.{index}"] for index in range(count)),
        neurons=tuple(means[f"neurons.{index}"] for index in range(count)),
        hidden=np.sum([means[f"hidden.{index}"] for index in range(count)], axis=0),
    )


def task_importance(ready: PreparedModel, examples: int) -> Importance:
    """Measure importance by the task's own loss, on random training examples.

    Args:
        ready: a fine-tuned model with its data.
        examples: number of examples; all, if there are fewer.
    """
    task = ready.task
    return measure_importance(
        ready.model,
        ready.batches(examples),
        task.loss,
    )


def weight_importance(model: "PreTrainedModel") -> Importance:
    """Estimate importance without data, by the size of the weights.

    For a head or a neuron it is the norm of its input weights times the norm of its output weights.
    Scaling one up and the other down does not change it. For a hidden feature it is the sum of the
    squares of its word embeddings.
    """
    size = head_size_of(model)
    heads, neurons = [], []
    for layer in layers_of(model):
        own, back = layer.attention.self, layer.attention.output.dense
        into = np.sum(
            [_squares(part.weight, 1) for part in (own.query, own.key, own.value)], axis=0
        )
        out = _squares(back.weight, 0)
        both = into.reshape(-1, size).sum(axis=1) * out.reshape(-1, size).sum(axis=1)
        heads.append(np.sqrt(both))
        wide, narrow = layer.intermediate.dense, layer.output.dense
        neurons.append(np.sqrt(_squares(wide.weight, 1) * _squares(narrow.weight, 0)))
    base: Any = model.base_model
    hidden = _squares(base.embeddings.word_embeddings.weight, 0)
    return Importance(heads=tuple(heads), neurons=tuple(neurons), hidden=hidden)


@contextmanager
def _recorded(model: "PreTrainedModel") -> Iterator[dict[str, Any]]:
    """Record every part's input in a forward pass, with gradients: [rows, tokens, features]."""
    parts: dict[str, Tensor] = {}
    hooks = []

    def record(name: str, module: "nn.Module") -> None:
        def hook(_module: "nn.Module", inputs: Sequence["Tensor"]) -> None:
            inputs[0].retain_grad()
            parts[name] = inputs[0]

        hooks.append(module.register_forward_pre_hook(hook))

    for index, layer in enumerate(layers_of(model)):
        record(f"heads.{index}", layer.attention.output.dense)
        record(f"neurons.{index}", layer.output.dense)
        record(f"hidden.{index}", layer.intermediate.dense)
    try:
        yield parts
    finally:
        for hook in hooks:
            hook.remove()


def _by_group(name: str, effects: "Tensor", head_size: int) -> "Tensor":
    """Add up the features of each head; neurons and hidden features stay single."""
    if not name.startswith("heads"):
        return effects
    return effects.reshape(len(effects), -1, head_size).sum(dim=2)


def _squares(weight: "Tensor", dim: int) -> Float64:
    torch = import_torch()
    with torch.no_grad():
        return np.asarray(weight.double().square().sum(dim=dim).cpu().numpy())
