"""The model that transformers makes of its own checkpoint, pruned or not."""

from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.build.load.settings import config_values
from ernie_triton.build.load.source import Source
from ernie_triton.build.model.models import Model
from ernie_triton.build.torch_models.checkpoints import load_model
from ernie_triton.errors import CheckpointError
from ernie_triton.tasks import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_AUTOMATIC_CLASSES = {
    "sequence": "AutoModelForSequenceClassification",
    "token": "AutoModelForTokenClassification",
    "span": "AutoModelForQuestionAnswering",
    "vector": "AutoModel",
}


def transformers_model(source: Source, task: Task, pooling: str) -> "PreTrainedModel":
    """The model of a transformers checkpoint, with transformers' own modules.

    Its automatic classes load it, unless they know no such model: one whose layers are narrower
    than its configuration says gets the same modules with linear layers of other sizes.

    Args:
        source: a transformers checkpoint; its own loader is used where nothing was read of it.
        task: what the model ends in.
        pooling: of a `vector` head; decides whether a pooler has to be there.

    Raises:
        CheckpointError: transformers does not take it.
    """
    if isinstance(source.model, Model) and _is_pruned(source.model, source.path):
        return load_model(source.path, task=task.name)
    return _automatic(source.path, task, pooling)


def _is_pruned(model: Model, folder: Path) -> bool:
    encoder, feed_forward = model.encoder, config_values(folder).get("intermediate_size")
    return any(
        layer.query.outputs != encoder.hidden or layer.intermediate.outputs != feed_forward
        for layer in encoder.layers
    )


def _automatic(folder: Path, task: Task, pooling: str) -> "PreTrainedModel":
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    # Its report on a checkpoint is a table of many lines.
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        # The folder is the user's own and is read as weights; nothing is fetched, no code is run.
        automatic = getattr(transformers, _AUTOMATIC_CLASSES[task.head])
        model, loaded = automatic.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"transformers cannot load {folder}: {reason}") from error
    # It would go on with random weights; of an unused pooler they do not matter.
    uses_pooler = task.head == "sequence" or pooling == "pooler"
    missing = [name for name in loaded["missing_keys"] if uses_pooler or "pooler" not in name]
    if missing:
        raise CheckpointError(
            f"transformers looks for {min(missing)!r} in {folder}, which the "
            f"weights have not; is the model_type of its config.json right?"
        )
    made: PreTrainedModel = model
    return made
