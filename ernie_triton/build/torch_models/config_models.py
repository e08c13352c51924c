"""Models of random weights, from a configuration alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.build.load.settings import config_values, read_config
from ernie_triton.build.torch_models.modules import (
    answer_values,
    family_of,
    new_model,
    training_values,
)
from ernie_triton.errors import CheckpointError
from ernie_triton.tasks import task_named

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_SIZES = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
    *("max_position_embeddings", "type_vocab_size"),
)


def random_model(
    folder: Path, task: str, labels: Sequence[str] | None, seed: int
) -> "PreTrainedModel":
    """A model of the sizes that a `config.json` without weights names.

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
        "pad_token_id": config.pad_token_id,
        "use_task_id": False,
    }
    sizes |= training_values(values) | answer_values(task, names, len(names or ()))
    return new_model(family_of(values), head, sizes, seed=seed)
