"""Modules of transformers and their configuration, for a canonical model or a `config.json`.

Every encoder becomes an ERNIE or a BERT of transformers with the same numbers. A task type added to
every token becomes part of the token types. RoBERTa's classifier, a dense layer with tanh before
the last, becomes BERT's pooler and classifier.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ernie_triton.build.load.families import HEADS_BY_ARCHITECTURE
from ernie_triton.build.load.settings import config_values, read_config
from ernie_triton.build.model.encoder import Encoder
from ernie_triton.errors import CheckpointError, MissingExtraError
from ernie_triton.tasks import task_named

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

ARCHITECTURES = {head: ending for ending, head in reversed(HEADS_BY_ARCHITECTURE.items())}
"""Endings of class names, by kind of head (`Task.head`)."""

POINTER_CLASS = ARCHITECTURES["pointer"]
"""UIE's class, of no family. transformers has none: its answer spans are the same two scores."""

PROBLEM_TYPES = {
    "seq_cls": "single_label_classification",
    "multi_label": "multi_label_classification",
    "regression": "regression",
}
"""transformers' `problem_type` of the tasks with a sequence head."""

_ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "relu": "relu", "tanh": "tanh"}
_DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")
_SIZES = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
    *("max_position_embeddings", "type_vocab_size"),
)


def import_torch() -> Any:  # noqa: ANN401 (a module)
    """Import PyTorch, and check that transformers is installed.

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
    """Return `ernie` or `bert`: the family of classes for a model with this `config.json`."""
    named = [values.get("model_type"), values.get("init_class"), *_listed(values)]
    known = next((str(name).lower() for name in named if name), "")
    return "ernie" if known.startswith("ernie") else "bert"


def new_model(family: str, head: str, sizes: Mapping[str, Any], *, seed: int) -> "PreTrainedModel":
    """Make a model with random weights, in float32 and evaluation mode.

    Args:
        family: `ernie` or `bert`.
        head: kind of head, as `Task.head` has it.
        sizes: keyword arguments of transformers' configuration.
        seed: decides the weights; the process's own generator is not changed.
    """
    torch = import_torch()
    import transformers

    config: PretrainedConfig = getattr(transformers, f"{family.capitalize()}Config")(**sizes)
    is_pointer = head == "pointer"
    architecture = f"{family.capitalize()}{ARCHITECTURES['span' if is_pointer else head]}"
    config.architectures = [POINTER_CLASS if is_pointer else architecture]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: PreTrainedModel = getattr(transformers, architecture)(config).float()
    pooler = getattr(model.base_model, "pooler", None)
    if pooler is not None and getattr(config, "pool_act", "tanh") != "tanh":
        pooler.activation = torch.nn.Identity()
    model.train(mode=False)
    return model


def encoder_config(encoder: Encoder, heads: int, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return transformers' configuration of an encoder.

    Args:
        encoder: its weights.
        heads: attention heads before any pruning, which decide the head size.
        values: its `config.json`, for the values that training uses.
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
    return sizes | training_config(values)


def training_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """Select the values that only training uses: dropout, deviation of new weights."""
    kept = (*_DROPOUTS, "initializer_range")
    return {name: values[name] for name in kept if isinstance(values.get(name), float | int)}


def head_config(task: str, labels: Sequence[str] | None, outputs: int) -> dict[str, Any]:
    """Return transformers' configuration of a task's head.

    Args:
        task: name of the task.
        labels: names of the scores; None for `LABEL_0`, `LABEL_1`, ….
        outputs: number of scores.
    """
    if task_named(task).head in ("choice", "span", "pointer", "vector", "masked"):
        return {}
    names = tuple(labels) if labels else tuple(f"LABEL_{index}" for index in range(outputs))
    values: dict[str, Any] = {
        "id2label": dict(enumerate(names)),
        "label2id": {name: index for index, name in enumerate(names)},
    }
    if task in PROBLEM_TYPES:
        values["problem_type"] = PROBLEM_TYPES[task]
    return values


def model_from_config(
    folder: Path, task: str, labels: Sequence[str] | None, seed: int
) -> "PreTrainedModel":
    """Make a model of random weights from a `config.json`.

    Raises:
        CheckpointError: a size is missing, or the scores have no names.
    """
    config, values = read_config(folder), config_values(folder)
    for name in _SIZES:
        if not isinstance(values.get(name), int) or values[name] < 1:
            raise CheckpointError(f"{folder}/config.json: {name} is {values.get(name)!r}")
    head, names = task_named(task).head, labels or config.labels
    if head in ("sequence", "token") and not names:
        raise CheckpointError(f"{folder}/config.json names no labels, and none are given")
    sizes = {name: values[name] for name in _SIZES} | {
        "intermediate_size": values.get("intermediate_size", 4 * config.hidden),
        "hidden_act": values.get("hidden_act", "gelu"),
        "layer_norm_eps": config.layer_norm_eps,
        "pad_token_id": config.pad_token_id or 0,
        "use_task_id": False,
    }
    sizes |= training_config(values) | head_config(task, names, len(names or ()))
    return new_model(family_of(values), head, sizes, seed=seed)


def _listed(values: Mapping[str, Any]) -> list[Any]:
    architectures = values.get("architectures")
    return list(architectures) if isinstance(architectures, list) else []
