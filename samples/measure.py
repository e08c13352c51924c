"""Accuracy and macro-F1 of a saved classifier on labelled texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from samples.checkpoints import load_model
from samples.encoding import encode_examples, load_tokenizer
from samples.examples import Example

BATCH_SIZE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Shares between 0 and 1 to four places, over `lines` examples."""

    accuracy: float
    macro_f1: float
    lines: int


def measure_checkpoint(folder: Path, examples: Sequence[Example]) -> Measurement:
    """Load a checkpoint from its folder and measure it.

    Raises:
        DataError: the folder holds no checkpoint.
    """
    import torch

    model = load_model(folder)
    tokenizer = load_tokenizer(folder)
    predicted: list[int] = []
    with torch.inference_mode():
        for start in range(0, len(examples), BATCH_SIZE):
            batch = encode_examples(tokenizer, examples[start : start + BATCH_SIZE])
            batch.pop("labels")
            predicted += model(**batch).logits.argmax(dim=-1).tolist()
    expected = [example.label_id for example in examples]
    return score(np.array(expected), np.array(predicted))


def score(expected: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]) -> Measurement:
    """Compare two int64 [lines] arrays of label ids.

    Macro-F1 is the plain mean of 2TP / (2TP + FP + FN) over the labels that occur in either.
    """
    scores = []
    for label in np.union1d(expected, predicted):
        hits = int(((expected == label) & (predicted == label)).sum())
        total = int((expected == label).sum() + (predicted == label).sum())
        scores.append(2 * hits / total)
    return Measurement(
        accuracy=round(float((expected == predicted).mean()), 4),
        macro_f1=round(float(np.mean(scores)), 4),
        lines=len(expected),
    )
