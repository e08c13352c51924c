"""The names of a pipeline's stages, which are models of the server too."""

from collections.abc import Iterable

ENGINE = "engine"
PARTS = ("tokenizer", ENGINE, "postprocess")
"""The stages of a pipeline, in their order."""


def stage_name(pipeline: str, part: str) -> str:
    """Return the model name of one of the `PARTS` of an ensemble."""
    return f"{pipeline}_{part}"


def pipeline_and_part(model: str) -> tuple[str, str]:
    """Return the pipeline that a stage's model name begins with, and its part.

    The part of another model, such as a joined pipeline, is empty.
    """
    pipeline, _, part = model.rpartition("_")
    return (pipeline, part) if pipeline and part in PARTS else (model, "")


def without_stages(models: Iterable[str]) -> list[str]:
    """Return models in their order, but for the stages of others."""
    names = list(models)
    stages = {stage_name(name, part) for name in names for part in PARTS}
    return [name for name in names if name not in stages]
