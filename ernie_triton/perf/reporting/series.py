"""Group measurements for plots: lines of a subject over its levels."""

from collections.abc import Sequence
from dataclasses import dataclass

from ernie_triton.perf.results import CONCURRENCY, Measurement


@dataclass(frozen=True, slots=True)
class Series:
    """Measurements of one line, by rising level."""

    name: str
    measurements: tuple[Measurement, ...]


def series_of(measurements: Sequence[Measurement], mode: str) -> list[Series]:
    """Make a line for each subject, texts and batch size of a mode, with two points or more.

    A name holds only the parts in which the lines differ.
    """
    kept = [one for one in measurements if one.load.mode == mode and not one.load.beside]
    grouped: dict[tuple[str, str, int], list[Measurement]] = {}
    for one in kept:
        key = (one.subject.name, one.load.texts, one.load.batch_size)
        grouped.setdefault(key, []).append(one)
    lines = {key: found for key, found in grouped.items() if len(found) > 1}
    texts, batches = ({key[place] for key in lines} for place in (1, 2))
    return [
        Series(
            _name(key, with_texts=len(texts) > 1, with_batch=len(batches) > 1),
            tuple(sorted(found, key=lambda one: one.load.level)),
        )
        for key, found in lines.items()
    ]


def heaviest(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Pick each subject's highest closed loop of single rows, or else its highest load."""
    chosen: dict[str, Measurement] = {}
    for one in sorted(measurements, key=_heaviness):
        chosen[one.subject.name] = one
    return [chosen[name] for name in dict.fromkeys(one.subject.name for one in measurements)]


def _heaviness(found: Measurement) -> tuple[bool, bool, float]:
    load = found.load
    return load.mode == CONCURRENCY, load.batch_size == 1, load.level


def _name(key: tuple[str, str, int], *, with_texts: bool, with_batch: bool) -> str:
    subject, texts, batch_size = key
    parts = [subject]
    if with_texts and texts:
        parts.append(texts)
    if with_batch:
        parts.append(f"batch {batch_size}")
    return ", ".join(parts)
