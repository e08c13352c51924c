"""Copy the weights of a canonical model into a module of transformers."""

from typing import TYPE_CHECKING

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.build.load.named_head import POINTERS
from ernie_triton.build.load.weights import TRANSFORMERS
from ernie_triton.build.model.encoder import Linear, Norm
from ernie_triton.build.model.heads import (
    MaskedHead,
    SequenceHead,
    SpanHead,
    TokenHead,
    VectorHead,
)
from ernie_triton.build.model.models import Model
from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


def state_from_model(model: Model, prefix: str) -> dict[str, Float32]:
    """Name the weights of a canonical model as transformers' ERNIE or BERT does.

    Args:
        model: the model; of a `VectorHead` only the pooler is included.
        prefix: prefix of the encoder's names: `ernie.`, `bert.`, or empty.
    """
    encoder, scheme = model.encoder, TRANSFORMERS
    state = {
        f"{prefix}embeddings.{name}_embeddings.weight": table
        for name, table in (
            ("word", encoder.word),
            ("position", encoder.position),
            ("token_type", encoder.token_type),
        )
    }
    state |= _norm(f"{prefix}{scheme.embedding_norm}", encoder.embedding_norm)
    for index, layer in enumerate(encoder.layers):
        name = f"{prefix}{scheme.layer.format(index)}"
        state |= _linear(f"{name}.{scheme.query}", layer.query)
        state |= _linear(f"{name}.{scheme.key}", layer.key)
        state |= _linear(f"{name}.{scheme.value}", layer.value)
        state |= _linear(f"{name}.{scheme.attention_output}", layer.attention_output)
        state |= _norm(f"{name}.{scheme.attention_norm}", layer.attention_norm)
        state |= _linear(f"{name}.{scheme.intermediate}", layer.intermediate)
        state |= _linear(f"{name}.{scheme.output}", layer.output)
        state |= _norm(f"{name}.{scheme.output_norm}", layer.output_norm)
    head = model.head
    if isinstance(head, SequenceHead | VectorHead) and head.pooler is not None:
        state |= _linear(f"{prefix}pooler.dense", head.pooler)
    if isinstance(head, SequenceHead | TokenHead):
        state |= _linear("classifier", head.output)
    if isinstance(head, SpanHead):
        state |= _linear("qa_outputs", head.output)
    if isinstance(head, MaskedHead):
        state |= _masked("cls.predictions", head, encoder.word)
    return state


def named_as_uie(state: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """Name the weights of a module with answer spans as UIE has them: a layer for each score."""
    named = {name: one for name, one in state.items() if not name.startswith("qa_outputs.")}
    for row, name in enumerate(POINTERS):
        for part in ("weight", "bias"):
            named[f"{name}.{part}"] = state[f"qa_outputs.{part}"][row : row + 1].clone()
    return named


def copy_weights(built: "PreTrainedModel", model: Model, where: str) -> None:
    """Copy a canonical model's weights into a module; weights that the model lacks are kept.

    Args:
        built: a module with layers as wide as the model's.
        model: the model; with a `VectorHead`, the module keeps its own head.
        where: the model's folder, for messages.

    Raises:
        CheckpointError: the module lacks a weight, or has it in another shape.
    """
    torch = import_torch()
    prefix = "" if built.base_model is built else f"{built.base_model_prefix}."
    state, places = state_from_model(model, prefix), dict(built.named_parameters())
    pooler = f"{prefix}pooler.dense.weight"
    if pooler not in places:
        state = {name: array for name, array in state.items() if f"{prefix}pooler." not in name}
    elif "classifier.weight" in state and pooler not in state:
        raise CheckpointError(
            f"{where} has a classifier without a pooler, which transformers does not support; it "
            f"can be built and served, but not trained"
        )
    for name, array in state.items():
        place = places.get(name)
        if place is None or tuple(place.shape) != array.shape:
            found = "no such weight" if place is None else f"one of shape {list(place.shape)}"
            raise CheckpointError(
                f"{where}: {name} has the shape {list(array.shape)}, but {type(built).__name__} "
                f"has {found}; such a model cannot be trained"
            )
        with torch.no_grad():
            place.copy_(torch.from_numpy(np.array(array, dtype=np.float32)))


def _masked(name: str, head: MaskedHead, word: Float32) -> dict[str, Float32]:
    """Name the weights of a masked head; its output is often the embeddings themselves."""
    state = _linear(f"{name}.transform.dense", head.transform)
    state |= _norm(f"{name}.transform.LayerNorm", head.norm)
    state[f"{name}.bias"] = head.output.bias
    if not np.array_equal(head.output.weight.T, word):
        state[f"{name}.decoder.weight"] = head.output.weight.T
    return state


def _linear(name: str, linear: Linear) -> dict[str, Float32]:
    return {f"{name}.weight": linear.weight.T, f"{name}.bias": linear.bias}


def _norm(name: str, norm: Norm) -> dict[str, Float32]:
    return {f"{name}.weight": norm.scale, f"{name}.bias": norm.bias}
