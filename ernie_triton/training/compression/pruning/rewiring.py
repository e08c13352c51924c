"""Cut heads and neurons out of a model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ernie_triton.build.torch_models.layer_widths import head_size_of, layers_of, resize_layers
from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.training.compression.pruning.widths import Indices, Kept

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


def keep_parts(model: "PreTrainedModel", kept: Sequence[Kept]) -> None:
    """Narrow every layer of a model to the heads and neurons that stay, in place.

    The model then answers as if the outputs of all others were multiplied by 0. Each head or neuron
    has its own columns in the next linear layer, so the other columns do not change.
    """
    size = head_size_of(model)
    weights = [
        _kept_weights(layer, part, size) for layer, part in zip(layers_of(model), kept, strict=True)
    ]
    resize_layers(model, [part.width for part in kept])
    for layer, parts in zip(layers_of(model), weights, strict=True):
        own = layer.attention
        places = (own.self.query, own.self.key, own.self.value, own.output.dense)
        for place, state in zip(
            (*places, layer.intermediate.dense, layer.output.dense), parts, strict=True
        ):
            place.load_state_dict(state)


def _kept_weights(layer: Any, kept: Kept, head_size: int) -> list[dict[str, Any]]:  # noqa: ANN401
    """Return the states of query, key, value, output, and both feed-forward layers."""
    torch = import_torch()
    own, features = layer.attention, features_of(kept.heads, head_size)
    into = [_rows(part, features) for part in (own.self.query, own.self.key, own.self.value)]
    neurons = torch.from_numpy(kept.neurons)
    return [
        *into,
        _columns(own.output.dense, features),
        _rows(layer.intermediate.dense, neurons),
        _columns(layer.output.dense, neurons),
    ]


def features_of(heads: Indices, head_size: int) -> Any:  # noqa: ANN401 (a tensor)
    """Return the places of the heads' features, int64 [heads * head size]."""
    torch = import_torch()
    starts = torch.from_numpy(heads)[:, None] * head_size
    return (starts + torch.arange(head_size)).reshape(-1)


def _rows(linear: "nn.Linear", outputs: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "weight": linear.weight.detach()[outputs].clone(),
        "bias": linear.bias.detach()[outputs].clone(),
    }


def _columns(linear: "nn.Linear", inputs: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "weight": linear.weight.detach()[:, inputs].clone(),
        "bias": linear.bias.detach().clone(),
    }
