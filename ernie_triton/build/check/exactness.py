"""Run the engine that a build made on real texts, and compare it with the source."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.exported_reference import Reference
from ernie_triton.build.check.reference import batch_rows
from ernie_triton.decoders.labels import sigmoid, softmax
from ernie_triton.decoders.vectors import normalized
from ernie_triton.engines import Engine
from ernie_triton.errors import ExactnessError
from ernie_triton.tasks import task_named

_Scores: TypeAlias = Mapping[str, npt.NDArray[Any]]

TOLERANCES = {"fp32": 1e-4, "bf16": 2e-2, "fp16": 2e-2, "int8": math.inf}
"""Largest absolute difference of a logit from the source's, by precision.

The scores of pointers and of the vocabulary are compared as the probabilities that decide, token
vectors at length 1: large values of a narrow number are far from exact. INT8 has no limit here:
its decisions or metric are checked, see `precision_check`.
"""


_DECISIVE: Mapping[str, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {
    "pointer": sigmoid,
    "masked": lambda scores: softmax(np.asarray(scores, np.float32)),
    "token_vector": normalized,
}
"""By kind of head: from the engine's outputs to what is compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactness:
    """The engine's outputs compared with the source's on sample texts.

    `largest_difference` is the maximum of the absolute differences of logits. `same_decisions` is
    the number of texts with the same likeliest label or, for extraction, with the same places where
    spans begin and end. `tolerance` is None for no limit: INT8 is judged by `Quality`.
    """

    reference: str
    texts: int
    largest_difference: float
    tolerance: float | None
    same_decisions: int


def compare(
    engine: Engine,
    reference: Reference,
    batch: TokenBatch,
    max_batch_size: int,
    *,
    tolerance: float = 0.0,
) -> Exactness:
    """Run the engine on a batch and the source on each of its rows.

    Args:
        engine: what was built.
        reference: the source.
        batch: sample texts.
        max_batch_size: most rows of one run.
        tolerance: largest difference accepted; 0 is what the precision should reach.

    Raises:
        ExactnessError: an output differs by more than that, or is not a number.
    """
    found: Sequence[_Scores] = output_rows(engine, batch, max_batch_size)
    expected: Sequence[_Scores] = [reference.outputs(row) for row in batch_rows(batch)]
    worst = _Difference(size=0.0, row=0, output="", found=0.0, expected=0.0)
    same = 0
    head = task_named(engine.settings.task).head
    decided = _selected if head == "pointer" else _likeliest
    if function := _DECISIVE.get(head):
        found, expected = (
            [{name: function(scores) for name, scores in row.items()} for row in rows]
            for rows in (found, expected)
        )
    for number, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        differences = [_difference(number, name, ours[name], theirs[name]) for name in ours]
        worst = max(worst, *differences, key=lambda difference: difference.size)
        same += all(np.array_equal(decided(ours[name]), decided(theirs[name])) for name in ours)
    precision = engine.settings.precision
    tolerance = tolerance or TOLERANCES[precision]
    is_number = math.isfinite(worst.size)
    if not (is_number and worst.size <= tolerance):
        raise ExactnessError(
            f"the {precision} engine differs from {reference.name} by {worst.size:.2e}, more than "
            f"the {tolerance:.0e} allowed: sample text {worst.row + 1}, {worst.output}: "
            f"{worst.found:.5f} instead of {worst.expected:.5f}"
            + (_advice(precision, reference, worst.size) if is_number else "")
        )
    return Exactness(
        reference=reference.name,
        texts=batch.rows,
        largest_difference=worst.size,
        tolerance=tolerance if math.isfinite(tolerance) else None,
        same_decisions=same,
    )


def _advice(precision: str, reference: Reference, size: float) -> str:
    """Say what to do about a difference; empty for a fault of this package's own."""
    accept = f"or accept it with --tolerance {1.2 * size:.2g}"
    if precision != "fp32":
        return f"; build with --precision fp32, {accept}"
    if reference.is_narrow:
        return f"; the graph computes with 16 bits: export it in FP32, {accept}"
    if reference.is_graph:
        return (
            f"; a graph whose answers change with the padding of a text, as ConvBERT's do, is not "
            f"served: export another model, {accept}"
        )
    return ""


def _likeliest(scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(scores.argmax(axis=-1))


def _selected(probabilities: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(probabilities > 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Difference:
    """The value of one row that differs most from the source's."""

    size: float
    row: int
    output: str
    found: float
    expected: float


def _difference(
    row: int, name: str, found: npt.NDArray[Any], expected: npt.NDArray[Any]
) -> _Difference:
    if found.shape != expected.shape:
        raise ExactnessError(
            f"the engine returns {name} of the shape {list(found.shape)} for sample text "
            f"{row + 1}, the source {list(expected.shape)}"
        )
    differences = np.abs(found - expected)
    differences[~np.isfinite(differences)] = np.inf
    place = tuple(int(i) for i in np.unravel_index(differences.argmax(), differences.shape))
    return _Difference(
        size=float(differences[place]),
        row=row,
        output=f"{name} {list(place)}",
        found=float(found[place]),
        expected=float(expected[place]),
    )


def output_rows(
    engine: Engine, batch: TokenBatch, max_rows: int
) -> list[dict[str, npt.NDArray[np.float32]]]:
    """The engine's outputs of each row of a batch, in runs of at most so many rows."""
    return [row for part in split_batch(batch, max_rows) for row in _rows_of_run(engine, part)]


def _rows_of_run(engine: Engine, batch: TokenBatch) -> list[dict[str, npt.NDArray[np.float32]]]:
    """The engine's outputs of each row; those of tokens without padding."""
    outputs = engine.run(batch)
    ends = np.cumsum(batch.lengths)
    per_token = task_named(engine.settings.task).is_per_token
    return [
        {
            name: values[end - length : end] if per_token else values[row]
            for name, values in outputs.items()
        }
        for row, (end, length) in enumerate(zip(ends, batch.lengths, strict=True))
    ]


def split_batch(batch: TokenBatch, max_rows: int) -> list[TokenBatch]:
    """The batch in parts of at most so many rows."""
    return [
        batch.select(np.arange(first, min(first + max_rows, batch.rows)))
        for first in range(0, batch.rows, max_rows)
    ]
