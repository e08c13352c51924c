"""Let a torch model compute in the rounded numbers of its INT8 graph while it is trained.

It rounds as `build.graph.numerics` and `build.graph.cpu_int8` do for CPUs. Weights of linear layers
get 129 steps with a scale for each output; their inputs get 256 steps of one calibrated scale; word
embeddings get 255 steps with a scale for each token. Gradients pass straight through the rounding,
but stop where an input was clipped (Bengio, Léonard, Courville, arxiv.org/abs/1308.3432; Jacob et
al., arxiv.org/abs/1712.05877).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ernie_triton.build.convert.calibration import LARGEST_STEP
from ernie_triton.build.graph.cpu_int8 import WORD_TABLE
from ernie_triton.build.graph.numerics import EXACT_INT8_STEPS
from ernie_triton.build.load.weights import TRANSFORMERS
from ernie_triton.errors import CheckpointError

_SMALLEST_SCALE = float(np.finfo(np.float32).smallest_subnormal)

_LINEARS: Mapping[str, str] = {
    "attention/query": TRANSFORMERS.query,
    "attention/key": TRANSFORMERS.key,
    "attention/value": TRANSFORMERS.value,
    "attention/output": TRANSFORMERS.attention_output,
    "intermediate": TRANSFORMERS.intermediate,
    "output": TRANSFORMERS.output,
}
"""Names of the linear layers in a layer: the graph's, and transformers'."""


class _RoundedInput(torch.autograd.Function):
    """QuantizeLinear and DequantizeLinear to signed int8, -128 included."""

    @staticmethod
    def forward(context: Any, values: Tensor, scale: Tensor) -> Tensor:  # noqa: ANN401
        steps = torch.round(values / scale)
        context.save_for_backward((steps >= -LARGEST_STEP - 1) & (steps <= LARGEST_STEP))
        return steps.clamp_(-LARGEST_STEP - 1, LARGEST_STEP).mul_(scale)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        (inside,) = context.saved_tensors
        return gradients[0] * inside, None


def rounded_input(values: Tensor, scale: Tensor) -> Tensor:
    """Round float32 values of any shape to int8 with one scale."""
    return _RoundedInput.apply(values.float(), scale)  # type: ignore[no-untyped-call, no-any-return]


def rounded_rows(values: Tensor, steps: int = LARGEST_STEP) -> Tensor:
    """Round float32 values to so many int8 steps to either side, with a scale for each row."""
    with torch.no_grad():
        scales = values.abs().amax(dim=-1, keepdim=True) / steps
        scales = scales.clamp_min(_SMALLEST_SCALE)
        rounded = torch.round(values / scales).clamp_(-steps, steps)
        difference = rounded * scales - values
    return values + difference


class RoundedLinear(nn.Linear):
    """A linear layer on the parameters of another, rounded as its INT8 graph rounds it."""

    def __init__(self, linear: nn.Linear, scale: float) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        device = linear.weight.device
        # Not saved: training writes the checkpoint of the plain model.
        self.register_buffer("input_scale", torch.tensor(scale, device=device), persistent=False)
        self.input_scale: Tensor

    def forward(self, input: Tensor) -> Tensor:
        """Return `input @ weight.T + bias` of the rounded numbers."""
        # An output is a row in torch, a column in the graph.
        weight = rounded_rows(self.weight, EXACT_INT8_STEPS)
        return functional.linear(rounded_input(input, self.input_scale), weight, self.bias)


class RoundedTable(nn.Embedding):
    """Word embeddings on the parameters of another table, rounded as `cpu_int8` rounds them.

    For single texts the graph's table includes the first token type's vector, so that the sum of
    both is rounded.
    """

    def __init__(self, table: nn.Embedding, added: Callable[[], Tensor]) -> None:
        """Replace a table; `added` returns what the graph adds to every row of its table."""
        nn.Module.__init__(self)
        for name in ("num_embeddings", "embedding_dim", "padding_idx", "max_norm", "norm_type"):
            setattr(self, name, getattr(table, name))
        self.scale_grad_by_freq, self.sparse = table.scale_grad_by_freq, table.sparse
        self.weight = table.weight
        self._added = added

    def forward(self, input: Tensor) -> Tensor:
        """Return the rounded vectors of token ids, without the added vector."""
        added = self._added().detach()
        return rounded_rows(super().forward(input) + added) - added


@contextmanager
def rounding(
    model: Any,  # noqa: ANN401 - a model of transformers
    scales: Mapping[str, float],
    *,
    pair: bool,
    kept: Collection[str] = (),
) -> Iterator[None]:
    """Let a model compute as its INT8 graph for CPUs does; restore its own layers at the end.

    Args:
        model: an ERNIE or BERT of transformers.
        scales: input scales of the linear layers, by their names in the graph.
        pair: the model reads two texts; see `RoundedTable`.
        kept: layers that stay in floating point; `embeddings/word` can be one.

    Raises:
        CheckpointError: the model lacks a layer of `scales`.
    """
    base = model.base_model
    wanted = {_module_name(name): scale for name, scale in scales.items() if name not in kept}
    replaced: dict[str, nn.Module] = {}
    try:
        for name, scale in wanted.items():
            linear = _linear(base, name)
            replaced[name] = linear
            base.set_submodule(name, RoundedLinear(linear, scale))
        if WORD_TABLE not in kept:
            name = "embeddings.word_embeddings"
            table: nn.Embedding = base.get_submodule(name)
            replaced[name] = table
            base.set_submodule(name, RoundedTable(table, _added(base, pair=pair)))
        yield
    finally:
        for name, module in replaced.items():
            module.train(base.training)
            base.set_submodule(name, module)


def _module_name(layer: str) -> str:
    """Turn `layer_0/attention/query` into `encoder.layer.0.attention.self.query`."""
    scope, _, part = layer.partition("/")
    prefix = TRANSFORMERS.layer.format(int(scope.removeprefix("layer_")))
    return f"{prefix}.{_LINEARS[part]}"


def _linear(base: Any, name: str) -> nn.Linear:  # noqa: ANN401
    try:
        found = base.get_submodule(name)
    except AttributeError:
        found = None
    if not isinstance(found, nn.Linear):
        raise CheckpointError(
            f"{type(base).__name__} has no linear layer {name}; quantisation-aware fine-tuning "
            f"takes ERNIE, BERT and RoBERTa models: use --qat never"
        )
    return found


def _added(base: Any, *, pair: bool) -> Callable[[], Tensor]:  # noqa: ANN401
    """Return a function for the vector that the graph's word table includes at present."""
    embeddings, config = base.embeddings, base.config

    def added() -> Tensor:
        row: Tensor = embeddings.token_type_embeddings.weight[0]
        if getattr(config, "use_task_id", False):
            row = row + embeddings.task_type_embeddings.weight[getattr(config, "task_id", 0)]
        return row * (not pair)

    return added
