"""The model that transformers makes of a checkpoint's arrays, pruned or not."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ernie_triton.build.load.checkpoint import read_weights
from ernie_triton.build.load.families import HEADS_BY_ARCHITECTURE
from ernie_triton.build.load.named_state import without_common_prefix
from ernie_triton.build.load.settings import config_values
from ernie_triton.build.load.source import Source
from ernie_triton.build.load.weight_files import find_weights
from ernie_triton.build.model.heads import MaskedHead, SequenceHead, TokenHead
from ernie_triton.build.model.models import Model
from ernie_triton.build.torch_models.checkpoints import load_model
from ernie_triton.errors import CheckpointError
from ernie_triton.tasks import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# What a configuration says of files, labels and number types; the class and the arrays decide them.
_NOT_OF_THE_FUNCTION = (
    *("model_type", "architectures", "auto_map", "torch_dtype", "dtype", "quantization_config"),
    *("id2label", "label2id", "num_labels", "problem_type", "finetuning_task", "pruned_heads"),
    *("transformers_version", "_name_or_path", "output_hidden_states", "output_attentions"),
    *("return_dict", "torchscript", "attn_implementation", "_attn_implementation"),
    "chunk_size_feed_forward",  # transformers cannot split every length
)
_OF_ENCODER = ("embeddings.", "encoder.", "pooler.", "transformer.", "embeddings_project.")


def transformers_model(source: Source, task: Task, pooling: str) -> "PreTrainedModel | None":
    """The model of a transformers checkpoint, with transformers' own modules.

    The class is the family's own, its configuration is the checkpoint's, and the arrays are those
    of its files by name. A model whose layers are narrower than its configuration says gets the
    modules of ERNIE or BERT with linear layers of other sizes.

    Args:
        source: a transformers checkpoint.
        task: what the model ends in.
        pooling: of a `vector` head; decides whether a pooler has to be there.

    Returns:
        The model; None for a head that transformers does not have: UIE's, or that of a pruned
        model of another family than ERNIE and BERT; and for a family that its version has no more.

    Raises:
        CheckpointError: transformers does not take it.
    """
    model = source.model
    if not isinstance(model, Model) or source.weights is None:
        raise CheckpointError(f"{source.path} has no weights that transformers could load")
    if task.head == "pointer" or not _is_installed(source):
        return None
    if not _is_pruned(model, config_values(source.path)):
        return _assembled(source, model, task, pooling)
    head = model.head
    if isinstance(head, SequenceHead) and head.pooler_activation not in ("tanh", "identity"):
        return None
    return load_model(source.path, task=task.name)


def _is_installed(source: Source) -> bool:
    import transformers

    return source.family is None or hasattr(transformers, f"{source.family.classes}Config")


def _is_pruned(model: Model, values: dict[str, Any]) -> bool:
    encoder, feed_forward = model.encoder, values.get("intermediate_size")
    return any(
        layer.query.outputs != encoder.hidden
        or layer.intermediate.outputs != (feed_forward or layer.intermediate.outputs)
        for layer in encoder.layers
    )


def _assembled(source: Source, model: Model, task: Task, pooling: str) -> "PreTrainedModel":
    """The family's own class with the arrays of the source's files."""
    import torch

    family = source.family
    found = find_weights(source.weights) if source.weights is not None else None
    if found is None or family is None:
        raise CheckpointError(f"{source.path} has no weights that transformers could load")
    state = without_common_prefix(read_weights(found), str(found.path))
    has_own_output = any(name.endswith(("decoder.weight", "projector.weight")) for name in state)
    built = _empty_class(source, model, task, has_own_output=has_own_output)
    base = "" if built.base_model is built else f"{family.base}."
    arrays = {
        f"{base}{name.removeprefix(f'{family.base}.')}"
        if name.startswith((f"{family.base}.", *_OF_ENCODER))
        else name: torch.from_numpy(np.array(array))
        for name, array in state.items()
    }
    try:
        loaded = built.load_state_dict(arrays, strict=False)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"transformers cannot load {source.path}: {reason}") from error
    # Random weights of an unused pooler do not matter.
    uses_pooler = task.head in ("sequence", "choice") or pooling == "pooler"
    missing = [name for name in loaded.missing_keys if uses_pooler or "pooler" not in name]
    if task.head == "masked":  # tied to the embeddings, or zero
        missing = [name for name in missing if not name.endswith(("decoder.weight", "bias"))]
    if missing:
        raise CheckpointError(
            f"transformers looks for {min(missing)!r} in {source.path}, which the weights have "
            f"not; is the model_type of its config.json right?"
        )
    return built


def _empty_class(
    source: Source, model: Model, task: Task, *, has_own_output: bool
) -> "PreTrainedModel":
    """The family's own class for a task, as the source's configuration says, in float32."""
    import torch
    import transformers

    if source.family is None:
        raise CheckpointError(f"{source.path} is of no model type that transformers has")
    classes, encoder, head = source.family.classes, model.encoder, model.head
    values = {
        "vocab_size": encoder.vocabulary_size,
        "num_hidden_layers": len(encoder.layers),
        "intermediate_size": encoder.layers[0].intermediate.outputs,
        "type_vocab_size": len(encoder.token_type),
        **config_values(source.path),
    }
    values = {name: value for name, value in values.items() if name not in _NOT_OF_THE_FUNCTION}
    if isinstance(head, MaskedHead):
        values["tie_word_embeddings"] = not has_own_output
    if isinstance(head, SequenceHead | TokenHead):
        values["num_labels"] = head.output.outputs
    wanted = "vector" if task.is_retrieval else task.head
    ending = next(end for end, kind in HEADS_BY_ARCHITECTURE.items() if kind == wanted)
    config = getattr(transformers, f"{classes}Config")(**values)
    built: PreTrainedModel = getattr(transformers, f"{classes}{ending}")(config).float()
    pooler: Any = getattr(built.base_model, "pooler", None)
    if pooler is not None and getattr(head, "pooler_activation", "") == "identity":
        pooler.activation = torch.nn.Identity()
    return built
