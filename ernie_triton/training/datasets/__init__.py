"""Labelled data in CLUE's file formats, for training: `read_dataset` makes a `DataSet` of a folder.

No torch is needed. An error names its file and line; what a rule of a format leaves out is counted.
"""

from ernie_triton.training.datasets.examples import (
    AnswerSpan,
    DataSet,
    LabelledText,
    Target,
    with_unlabelled,
)
from ernie_triton.training.datasets.plain import items_of, plain_dev
from ernie_triton.training.datasets.reading import TRAINED_TASKS, read_dataset

__all__ = [
    "TRAINED_TASKS",
    "AnswerSpan",
    "DataSet",
    "LabelledText",
    "Target",
    "items_of",
    "plain_dev",
    "read_dataset",
    "with_unlabelled",
]
