"""The names of a pipeline's stages, which are models of the server too."""

from collections.abc import Iterable

PARTS = ("tokenizer", "engine", "postprocess")
"""The stages of a pipeline, in their order."""


def stage_name(pipeline: str, part: str) -> str:
    """Return the model name of one of the `PARTS` of an ensemble."""
    return f"{pipeline}_{part}"


def without_stages(models: Iterable[str]) -> list[str]:
    """Return models in their order, but for the stages of others."""
    names = list(models)
    stages = {stage_name(name, part) for name in names for part in PARTS}
    return [name for name in names if name not in stages]
