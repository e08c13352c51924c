"""Compare two models of one server, measured in turn (A B A B), by ratios round by round."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ernie_triton.perf.analyzer.load_test import LoadTest
from ernie_triton.perf.analyzer.output import AnalyzerFigures
from ernie_triton.perf.paired import Spread, paired_ratio, spread
from ernie_triton.perf.results import RequestLoad

FIGURES: Mapping[str, Callable[[AnalyzerFigures], float]] = {
    "texts/s": lambda figures: figures.rows_per_second,
    "p50 ms": lambda figures: figures.latency.p50_us / 1000,
    "p99 ms": lambda figures: figures.latency.p99_us / 1000,
}
"""The compared figures, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure of two models, and the ratio of the second to the first."""

    figure: str
    first: Spread
    second: Spread
    ratio: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The comparison of two models under one load."""

    first: str
    second: str
    load: RequestLoad
    lines: tuple[Line, ...]

    def to_json(self) -> str:
        """Return indented JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=2) + "\n"

    def table(self) -> str:
        """Return a Markdown table under a heading."""
        rounds = self.lines[0].ratio.rounds
        heading = f"{self.load}, {rounds} rounds in turn; median (range)"
        lines = [heading, "", f"| | {self.first} | {self.second} | ratio |", "|---|---:|---:|---:|"]
        lines.extend(
            f"| {one.figure} | {one.first.text()} | {one.second.text()} | {one.ratio.text('x')} |"
            for one in self.lines
        )
        return "\n".join(lines)


def compare_in_turn(
    tests: tuple[LoadTest, LoadTest],
    load: RequestLoad,
    rounds: int,
    progress: Callable[[str], None],
) -> Compared:
    """Measure both models under the same load, each once a round.

    Args:
        tests: the first model is what the second is compared with.
        load: of both.
        rounds: turns of each model; a warm-up round comes before them.
        progress: receives a line before each measurement.

    Raises:
        AnalyzerError: perf_analyzer failed.
    """
    found: tuple[list[AnalyzerFigures], list[AnalyzerFigures]] = ([], [])
    for number in range(rounds + 1):
        name = f"round {number} of {rounds}" if number else "warm-up"
        for test, figures in zip(tests, found, strict=True):
            progress(f"{name}: {test.model}")
            measured = test.figures(load)
            if number:
                figures.append(measured)
    lines = []
    for figure, value in FIGURES.items():
        ones, twos = ([value(figures) for figures in side] for side in found)
        lines.append(
            Line(
                figure=figure,
                first=spread(ones),
                second=spread(twos),
                ratio=paired_ratio(twos, ones),
            )
        )
    return Compared(first=tests[0].model, second=tests[1].model, load=load, lines=tuple(lines))
