"""Read and change the width of each layer in a model of transformers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.errors import CheckpointError

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWidth:
    """Attention heads and feed-forward neurons of one layer."""

    heads: int
    feed_forward: int

    def __post_init__(self) -> None:
        for name in ("heads", "feed_forward"):
            if getattr(self, name) < 1:
                raise CheckpointError(
                    f"a layer's {name} is {getattr(self, name)}; expected at least 1"
                )


def widths_of(model: "PreTrainedModel") -> tuple[LayerWidth, ...]:
    """Read the attention heads and feed-forward neurons of every layer from its weights."""
    return tuple(
        LayerWidth(
            heads=layer.attention.self.query.out_features // head_size_of(model),
            feed_forward=layer.intermediate.dense.out_features,
        )
        for layer in layers_of(model)
    )


def head_size_of(model: "PreTrainedModel") -> int:
    """Return the features of one attention head, which pruning keeps."""
    return int(model.config.hidden_size) // int(model.config.num_attention_heads)


def layers_of(model: "PreTrainedModel") -> list[Any]:
    """Return the encoder's layers: transformers' `BertLayer` or `ErnieLayer`."""
    base: Any = model.base_model
    return list(base.encoder.layer)


def resize_layers(model: "PreTrainedModel", widths: Sequence[LayerWidth]) -> None:
    """Set the width of every layer; linear layers that change get zero weights.

    The modules of transformers split features by the head size (`view(…, -1, head_size)`). So only
    linear layers are replaced, and the counts that older versions read.

    Raises:
        CheckpointError: the numbers of widths and layers differ.
    """
    layers, size = layers_of(model), head_size_of(model)
    if len(widths) != len(layers):
        raise CheckpointError(f"found {len(widths)} widths for a model of {len(layers)} layers")
    for layer, width in zip(layers, widths, strict=True):
        attention, features = layer.attention.self, width.heads * size
        for name in ("query", "key", "value"):
            setattr(attention, name, _resized(getattr(attention, name), None, features))
        attention.num_attention_heads, attention.all_head_size = width.heads, features
        layer.attention.output.dense = _resized(layer.attention.output.dense, features, None)
        layer.intermediate.dense = _resized(layer.intermediate.dense, None, width.feed_forward)
        layer.output.dense = _resized(layer.output.dense, width.feed_forward, None)


def _resized(linear: "nn.Linear", inputs: int | None, outputs: int | None) -> "nn.Linear":
    torch = import_torch()
    inputs, outputs = inputs or linear.in_features, outputs or linear.out_features
    if (inputs, outputs) == (linear.in_features, linear.out_features):
        return linear
    new = torch.nn.utils.skip_init(torch.nn.Linear, inputs, outputs)
    torch.nn.init.zeros_(new.weight)
    torch.nn.init.zeros_(new.bias)
    made: nn.Linear = new.to(linear.weight)
    return made
