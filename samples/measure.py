"""The figures of a saved checkpoint on a labelled file."""

from collections.abc import Sequence
from pathlib import Path

from samples.checkpoints import load_model
from samples.encoding import load_tokenizer
from samples.examples import Example, Target
from samples.learners.base import Figures, Learner


def measure_checkpoint(
    folder: Path,
    learner: Learner[Target],
    examples: Sequence[Example[Target]],
    calibration: Figures,
) -> Figures:
    """Load a checkpoint from its folder and measure it; values to four places.

    Raises:
        DataError: the folder holds no checkpoint.
    """
    import torch

    model = load_model(folder, learner.model_class)
    with torch.inference_mode():
        figures = learner.measure(model, load_tokenizer(folder), examples, calibration)
    return {name: round(value, 4) for name, value in figures.items()}


def calibrate_checkpoint(
    folder: Path, learner: Learner[Target], examples: Sequence[Example[Target]]
) -> Figures:
    """Load a checkpoint and choose what its measurement needs, on training lines; to four places.

    Raises:
        DataError: the folder holds no checkpoint.
    """
    import torch

    model = load_model(folder, learner.model_class)
    with torch.inference_mode():
        figures = learner.calibrate(model, load_tokenizer(folder), examples)
    return {name: round(value, 4) for name, value in figures.items()}
