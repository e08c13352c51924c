"""The settings of a distillation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.training.datasets import DataSet
from ernie_triton.training.loop.schedule import Schedule
from samples.recipes import SampleRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleDistillation:
    """One distillation.

    Attributes:
        teacher: a checkpoint of pieces: fine-tuned, or a base where the recipe has lessons.
        data: the data set, of the student's task.
        recipe: of the sample.
        vocab: the vocabulary of a student that does not have its teacher's pieces.
        other_texts: texts without labels, to learn from too.
        schedule: of the student's training.
        output: the checkpoint to write.
        work: folder from which a killed run goes on.
        seed: decides new texts and weights.
    """

    teacher: Path
    data: DataSet
    recipe: SampleRecipe
    vocab: Path
    other_texts: Sequence[str]
    schedule: Schedule
    output: Path
    work: Path
    seed: int
