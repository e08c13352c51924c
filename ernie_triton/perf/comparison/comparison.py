"""Two models of one server measured in turn, A B A B, and their ratios round by round."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ernie_triton.perf.paired import Spread, ratio, spread
from ernie_triton.perf.probe import Probe
from ernie_triton.perf.results import Load
from ernie_triton.perf.running.analyzer_output import AnalyzerFigures

FIGURES: Mapping[str, Callable[[AnalyzerFigures], float]] = {
    "texts/s": lambda figures: figures.rows_per_second,
    "p50 ms": lambda figures: figures.latency.p50_us / 1000,
    "p99 ms": lambda figures: figures.latency.p99_us / 1000,
}
"""What is compared of perf_analyzer's figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure of two subjects, and how many times the first's the second's is."""

    figure: str
    first: Spread
    second: Spread
    ratio: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The comparison of two subjects under one load."""

    first: str
    second: str
    load: Load
    lines: tuple[Line, ...]

    def to_json(self) -> str:
        """As indented JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=2) + "\n"

    def table(self) -> str:
        """As a Markdown table under a heading."""
        load = f"{self.load.mode.replace('_', ' ')} {self.load.level:g}"
        rounds = self.lines[0].ratio.rounds
        heading = f"{load}, batch {self.load.batch_size}, {rounds} rounds in turn; median (range)"
        lines = [heading, "", f"| | {self.first} | {self.second} | ratio |", "|---|---:|---:|---:|"]
        lines.extend(
            f"| {one.figure} | {one.first.text()} | {one.second.text()} | {one.ratio.text('x')} |"
            for one in self.lines
        )
        return "\n".join(lines)


def compare_in_turn(
    probes: tuple[Probe, Probe], load: Load, rounds: int, progress: Callable[[str], None]
) -> Compared:
    """Measure both under the same load, each once a round.

    Args:
        probes: what the ratios are taken to, and whose ratios they are.
        load: of both.
        rounds: how often each takes its turn; a further one before is thrown away.
        progress: is told what is measured next.

    Raises:
        AnalyzerError: perf_analyzer failed.
    """
    found: tuple[list[AnalyzerFigures], list[AnalyzerFigures]] = ([], [])
    for number in range(rounds + 1):
        name = f"round {number} of {rounds}" if number else "warm-up"
        for probe, figures in zip(probes, found, strict=True):
            progress(f"{name}: {probe.model}")
            measured = probe.figures(load)
            if number:
                figures.append(measured)
    lines = []
    for figure, value in FIGURES.items():
        ones, twos = ([value(figures) for figures in side] for side in found)
        lines.append(
            Line(figure=figure, first=spread(ones), second=spread(twos), ratio=ratio(twos, ones))
        )
    return Compared(first=probes[0].model, second=probes[1].model, load=load, lines=tuple(lines))
