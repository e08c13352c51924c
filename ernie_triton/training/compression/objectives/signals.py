"""Record token vectors, queries, keys and values inside a model during a forward pass."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ernie_triton.build.torch_models.layer_widths import layers_of
from ernie_triton.training.tasks.evaluation import INPUTS

if TYPE_CHECKING:
    from torch import Tensor, nn

PROJECTIONS = ("query", "key", "value")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signals:
    """One forward pass.

    Attributes:
        answer: the model's output: `logits`, or `start_logits` and `end_logits`.
        hidden: token vectors after the embeddings and after each layer, [rows, tokens, hidden].
        query: queries of each layer, all heads side by side, [rows, tokens, heads * head size].
        key: keys, likewise.
        value: values, likewise.
    """

    answer: Any
    hidden: tuple["Tensor", ...]
    query: tuple["Tensor", ...]
    key: tuple["Tensor", ...]
    value: tuple["Tensor", ...]


def signals_of(model: "nn.Module", batch: Mapping[str, "Tensor"]) -> Signals:
    """Run a model and record its signals.

    Args:
        model: a transformers model, or the wrapper of one for training on several devices.
        batch: its inputs, [rows, tokens]; other tensors are ignored.
    """
    inner: Any = getattr(model, "module", model)
    with _projections(inner) as seen:
        inputs = {name: batch[name] for name in INPUTS}
        answer: Any = model(**inputs, output_hidden_states=True)
    return Signals(
        answer=answer,
        hidden=tuple(answer.hidden_states),
        **{name: tuple(seen.outputs[name]) for name in PROJECTIONS},
    )


@dataclass(slots=True)
class _Seen:
    outputs: dict[str, list["Tensor"]] = field(
        default_factory=lambda: {name: [] for name in PROJECTIONS}
    )


@contextmanager
def _projections(model: Any) -> Iterator[_Seen]:  # noqa: ANN401 (any model of transformers)
    """Record the outputs of every layer's query, key and value, with their gradients."""
    seen, hooks = _Seen(), []

    def watch(name: str, linear: "nn.Module") -> None:
        def hook(_module: "nn.Module", _inputs: Any, output: "Tensor") -> None:  # noqa: ANN401
            seen.outputs[name].append(output)

        hooks.append(linear.register_forward_hook(hook))

    for layer in layers_of(model):
        for name in PROJECTIONS:
            watch(name, getattr(layer.attention.self, name))
    try:
        yield seen
    finally:
        for handle in hooks:
            handle.remove()
