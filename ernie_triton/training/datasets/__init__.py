"""Labelled data in CLUE's file formats: `read_dataset` reads a folder into a `DataSet`.

`reading` chooses files and formats; `lines`, `label_names`, `classification`, `tagging`, `squad`,
`options` and `prompts` read them; `plain` writes the form that the clients read. A new format of
classification data is an entry in `classification.FORMATS`. Every error names its file and line. No
torch is needed.
"""

from ernie_triton.training.datasets.examples import (
    AnswerSpan,
    DataSet,
    Extracted,
    LabelledText,
    PromptAnswers,
    Target,
    with_unlabelled,
)
from ernie_triton.training.datasets.plain import items_of, plain_dev
from ernie_triton.training.datasets.prompts import PromptRules
from ernie_triton.training.datasets.reading import TRAINED_TASKS, read_dataset

__all__ = [
    "TRAINED_TASKS",
    "AnswerSpan",
    "DataSet",
    "Extracted",
    "LabelledText",
    "PromptAnswers",
    "PromptRules",
    "Target",
    "items_of",
    "plain_dev",
    "read_dataset",
    "with_unlabelled",
]
