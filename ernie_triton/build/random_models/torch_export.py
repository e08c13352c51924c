"""A random model of transformers, and the export of such models with torch."""

import logging
import warnings
from pathlib import Path
from typing import Any

from ernie_triton.build.load.settings import CheckpointConfig
from ernie_triton.build.load.state import model_from_state
from ernie_triton.build.load.weights import TRANSFORMERS
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError, MissingExtraError
from ernie_triton.model_shapes import POSITIONS, TASK_TYPES, TOKEN_TYPES, VOCABULARY_SIZE, Shape

EXPORTED_FILE = "exported.onnx"
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def random_classifier(shape: Shape, *, labels: int, seed: int = 0) -> Any:  # noqa: ANN401
    """Initialise an `ErnieForSequenceClassification` of transformers for a shape.

    Raises:
        MissingExtraError: torch, transformers or onnxscript is not installed.
    """
    transformers = _imported_transformers("a model of random weights")
    import torch

    torch.manual_seed(seed)
    config = transformers.ErnieConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.feed_forward,
        max_position_embeddings=POSITIONS,
        type_vocab_size=TOKEN_TYPES,
        task_type_vocab_size=TASK_TYPES,
        use_task_id=True,
    )
    config.num_labels = labels
    classifier: Any = transformers.ErnieForSequenceClassification(config)
    return classifier.eval()


def model_from_classifier(classifier: Any) -> Model:  # noqa: ANN401
    """Read the weights of such a classifier into a `Model`."""
    config = classifier.config
    return model_from_state(
        {name: tensor.numpy() for name, tensor in classifier.state_dict().items()},
        TRANSFORMERS,
        CheckpointConfig(
            model_type="ernie",
            heads=config.num_attention_heads,
            hidden=config.hidden_size,
            activation="gelu",
            pooler_activation="tanh",
            layer_norm_eps=config.layer_norm_eps,
            pad_token_id=config.pad_token_id,
            task_type_row=0,
            labels=None,
        ),
        "the random classifier",
    )


def export_with_torch(classifier: Any, path: Path) -> None:  # noqa: ANN401
    """Write a classifier as ONNX with torch's default exporter.

    Inputs are `input_ids`, `attention_mask` and `token_type_ids`, int64 [items, length], with both
    dimensions dynamic.
    """
    import torch

    # The exporter merges inputs that are one tensor, and drops a mask that masks nothing.
    ids, types = torch.ones(2, 8, dtype=torch.int64), torch.zeros(2, 8, dtype=torch.int64)
    mask = torch.tensor([[1] * 8, [1] * 5 + [0] * 3])
    example = dict(zip(_INPUTS, (ids, mask, types), strict=True))
    sizes = {0: torch.export.Dim("items"), 1: torch.export.Dim("length", max=POSITIONS)}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it reports missing torchvision
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            classifier,
            kwargs=example,
            f=str(path),
            dynamo=True,
            dynamic_shapes=dict.fromkeys(_INPUTS, sizes),
            external_data=False,
            verbose=False,
        )


def export_checkpoint(folder: Path) -> Path:
    """Write `exported.onnx` beside the weights of a transformers sequence classifier.

    Raises:
        CheckpointError: transformers does not read the folder as one.
        MissingExtraError: torch, transformers or onnxscript is not installed.
    """
    transformers = _imported_transformers("exporting with torch")
    transformers.utils.logging.disable_progress_bar()
    try:
        classifier = transformers.AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True
        )
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{folder} is no sequence classifier of transformers: {reason}"
        ) from error
    path = folder / EXPORTED_FILE
    beside = path.with_suffix(".partial")
    export_with_torch(classifier.eval(), beside)
    beside.rename(path)
    return path


def _imported_transformers(purpose: str) -> Any:  # noqa: ANN401
    try:
        import onnxscript  # noqa: F401 (torch's exporter imports it)
        import torch  # noqa: F401
        import transformers
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "train", purpose) from error
    return transformers
