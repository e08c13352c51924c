"""The figures of rounds in turn as a table."""

import statistics
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from ernie_triton.perf.paired import paired_ratio
from ernie_triton.text_table import Table

OURS = "ernie-triton"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundAnswers:
    """One subject's round: its seconds, and a score for each thing that it answered."""

    seconds: float
    scores: Mapping[Hashable, float]


Round = Mapping[str, RoundAnswers]
"""By subject; one is `OURS`."""


def in_rounds(
    subjects: Mapping[str, Callable[[], RoundAnswers]],
    rounds: int,
    progress: Callable[[str], None],
) -> list[Round]:
    """Ask every subject in turn, and drop the first round, which warms all of them up."""
    found: list[Round] = []
    for number in range(rounds + 1):
        found.append({name: ask() for name, ask in subjects.items()})
        seconds = ", ".join(f"{name} {one.seconds:.2f} s" for name, one in found[-1].items())
        progress(f"round {number} of {rounds}: {seconds}")
    return found[1:]


def comparison_lines(rounds: Sequence[Round], subject: str, unit: str, count: int) -> list[str]:
    """A table: seconds, units a second, each one's time over ours, difference of scores.

    What only one of both answered counts as a difference of its whole score.

    Args:
        rounds: at least one.
        subject: heading of the first column.
        unit: what is counted.
        count: how many of them a round has.
    """
    rows = []
    for name in rounds[0]:
        times = [found[name].seconds for found in rounds]
        ratio = paired_ratio(times, [found[OURS].seconds for found in rounds])
        ours, other = rounds[-1][OURS].scores, rounds[-1][name].scores
        keys = {*ours, *other}
        difference = max((abs(ours.get(key, 0) - other.get(key, 0)) for key in keys), default=0.0)
        seconds = statistics.median(times)
        cells = (f"{seconds * 1000:.0f} ms", f"{count / seconds:.1f}", ratio.text())
        rows.append((name, *cells, f"{difference:.1e}"))
    columns = ("median", f"{unit}/s", "its time over ours (range)", "score difference")
    return Table((subject, *columns)).lines(rows)
