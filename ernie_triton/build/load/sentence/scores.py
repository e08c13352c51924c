"""The activation of a cross-encoder's scores, as `CrossEncoder.predict` applies it."""

from pathlib import Path

from ernie_triton.build.load.sentence.description import CROSS_ENCODER
from ernie_triton.build.load.sentence.folder import MODEL_FILE, MODULES_FILE
from ernie_triton.build.load.sentence.modules import activation
from ernie_triton.build.load.settings import CONFIG_FILES, config_values, optional_json

_OLD_KEY = "sbert_ce_default_activation_function"
"""Before version 4."""


def cross_encoder_activation(folder: Path, scores: int) -> str | None:
    """Return the activation of a cross-encoder's scores; None where no file says it is one.

    Args:
        folder: of the weights.
        scores: how many scores the model gives; one score goes through a sigmoid by default.

    Raises:
        CheckpointError: the activation is not known.
    """
    model = optional_json(folder / MODEL_FILE)
    has_config = any((folder / name).is_file() for name in CONFIG_FILES)
    values = config_values(folder) if has_config else {}
    own = values.get("sentence_transformers")
    is_cross_encoder = (
        model.get("model_type") == CROSS_ENCODER
        or isinstance(own, dict)
        or _OLD_KEY in values
        or (folder / MODULES_FILE).is_file()
    )
    if not is_cross_encoder:
        return None
    of_config = own.get("activation_fn") if isinstance(own, dict) else None
    for name, found in (
        (MODEL_FILE, model.get("activation_fn")),
        (CONFIG_FILES[0], of_config),
        (CONFIG_FILES[0], values.get(_OLD_KEY)),
    ):
        if found is not None:
            return activation(found, folder / name)
    return "sigmoid" if scores == 1 else "identity"
