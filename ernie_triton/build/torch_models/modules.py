"""The canonical model as a module of transformers: its class, its configuration, its weights.

Every encoder that can be read becomes an ERNIE or a BERT of transformers. A task type that is added
to every token is part of the token types then, and RoBERTa's classifier, a dense layer with tanh
before the last, is what BERT calls pooler and classifier: the same numbers under other names.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.build.load.naming import TRANSFORMERS
from ernie_triton.build.load.settings import HEADS
from ernie_triton.build.model.encoder import (
    Encoder,
    Linear,
    Model,
    Norm,
    SequenceHead,
    SpanHead,
    TokenHead,
    VectorHead,
)
from ernie_triton.errors import CheckpointError, MissingExtraError
from ernie_triton.tasks import task_named

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel


ARCHITECTURES = {head: ending for ending, head in HEADS.items()}
"""How transformers names a model by what it ends in (`Task.head`)."""

PROBLEMS = {
    "seq_cls": "single_label_classification",
    "multi_label": "multi_label_classification",
    "regression": "regression",
}
"""transformers' `problem_type` of the tasks that end in scores of a text."""

_ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "relu": "relu", "tanh": "tanh"}
_DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")


def import_torch() -> Any:  # noqa: ANN401 (a module)
    """PyTorch with transformers beside it.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    try:
        import torch
        import transformers  # noqa: F401 (every use of torch here is with it)
    except ModuleNotFoundError as error:
        name = str(error.name or "torch")
        raise MissingExtraError(name, "train", "training and compressing models") from error
    return torch


def family_of(values: Mapping[str, Any]) -> str:
    """`ernie` or `bert`: whose classes stand for a model with this `config.json`."""
    named = [values.get("model_type"), values.get("init_class"), *_listed(values)]
    known = next((str(name).lower() for name in named if name), "")
    return "ernie" if known.startswith("ernie") else "bert"


def new_model(family: str, head: str, sizes: Mapping[str, Any], *, seed: int) -> "PreTrainedModel":
    """A model with random weights, in float32 and evaluation mode.

    Args:
        family: `ernie` or `bert`.
        head: as `Task.head` has it.
        sizes: keyword arguments of transformers' configuration.
        seed: decides the weights; the generator of the process is left as it was.
    """
    torch = import_torch()
    import transformers

    config: PretrainedConfig = getattr(transformers, f"{family.capitalize()}Config")(**sizes)
    architecture = f"{family.capitalize()}{ARCHITECTURES[head]}"
    config.architectures = [architecture]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: PreTrainedModel = getattr(transformers, architecture)(config).float()
    pooler = getattr(model.base_model, "pooler", None)
    if pooler is not None and getattr(config, "pool_act", "tanh") != "tanh":
        pooler.activation = torch.nn.Identity()
    model.train(mode=False)
    return model


def sizes_of(encoder: Encoder, heads: int, values: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of an encoder that was read.

    Args:
        encoder: its weights.
        heads: attention heads before any pruning: they decide the size of a head.
        values: its `config.json`, for what the weights do not tell (dropout).
    """
    sizes = {
        "vocab_size": encoder.vocabulary_size,
        "hidden_size": encoder.hidden,
        "num_hidden_layers": len(encoder.layers),
        "num_attention_heads": heads,
        "intermediate_size": max(layer.intermediate.outputs for layer in encoder.layers),
        "max_position_embeddings": encoder.max_positions,
        "type_vocab_size": len(encoder.token_type),
        "hidden_act": _ACTIVATIONS[encoder.activation],
        "layer_norm_eps": encoder.embedding_norm.epsilon,
        "pad_token_id": encoder.pad_token_id,
        "use_task_id": False,
    }
    return sizes | training_values(values)


def training_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a `config.json` says of training alone: dropout, deviation of new weights."""
    kept = (*_DROPOUTS, "initializer_range")
    return {name: values[name] for name in kept if isinstance(values.get(name), float | int)}


def answer_values(task: str, labels: Sequence[str] | None, outputs: int) -> dict[str, Any]:
    """The configuration of a task's head.

    Args:
        task: its name.
        labels: names of the scores, or None where they have none.
        outputs: how many scores there are.
    """
    if task_named(task).head in ("span", "vector"):
        return {}
    names = tuple(labels) if labels else tuple(f"LABEL_{index}" for index in range(outputs))
    values: dict[str, Any] = {
        "id2label": dict(enumerate(names)),
        "label2id": {name: index for index, name in enumerate(names)},
    }
    if task in PROBLEMS:
        values["problem_type"] = PROBLEMS[task]
    return values


def state_from_model(model: Model, prefix: str) -> dict[str, Float32]:
    """The weights of a canonical model by transformers' names of an ERNIE or BERT.

    Args:
        model: its head may be a `VectorHead`: then the encoder alone, with its pooler if it has
            one.
        prefix: of the encoder's names, with its dot: `ernie.`, `bert.`, or nothing.
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
    return state


def fill(built: "PreTrainedModel", model: Model, where: str) -> None:
    """Copy a canonical model's weights into a module; what the model lacks stays as it is.

    Args:
        built: its layers as wide as the model's.
        model: a `VectorHead` stands for an encoder without a head of the task.
        where: the model's folder, for messages.

    Raises:
        CheckpointError: the module has no place for a weight, or one of another shape.
    """
    torch = import_torch()
    prefix = "" if built.base_model is built else f"{built.base_model_prefix}."
    state, places = state_from_model(model, prefix), dict(built.named_parameters())
    pooler = f"{prefix}pooler.dense.weight"
    if pooler not in places:
        state = {name: array for name, array in state.items() if f"{prefix}pooler." not in name}
    elif "classifier.weight" in state and pooler not in state:
        raise CheckpointError(
            f"{where} has a classifier without a pooler before it, which transformers has not; "
            f"it can be built and served, but not trained"
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


def _listed(values: Mapping[str, Any]) -> list[Any]:
    architectures = values.get("architectures")
    return list(architectures) if isinstance(architectures, list) else []


def _linear(name: str, linear: Linear) -> dict[str, Float32]:
    return {f"{name}.weight": linear.weight.T, f"{name}.bias": linear.bias}


def _norm(name: str, norm: Norm) -> dict[str, Float32]:
    return {f"{name}.weight": norm.scale, f"{name}.bias": norm.bias}
