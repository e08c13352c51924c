"""Screening: one short figure of each candidate, coordinate by coordinate."""

import dataclasses
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from ernie_triton.errors import AnalyzerError, ServerError
from ernie_triton.perf.tuning.setting import Change, Setting, is_same

FINALISTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measurement of a setting.

    Attributes:
        texts_per_s: rows answered each second.
        p50_ms: the median latency of a request.
        p99_ms: its 99th percentile.
        is_unstable: the machine or the figure itself was not steady.
    """

    texts_per_s: float
    p50_ms: float
    p99_ms: float
    is_unstable: bool = False


class Bench(Protocol):
    """What measures settings; their servers are started when first asked."""

    def figure(self, setting: Setting) -> Figure:
        """Measure once.

        Raises:
            AnalyzerError: no figure could be taken.
            ServerError: the setting cannot be served.
        """

    def keep(self, settings: Collection[Setting]) -> None:
        """Stop the servers of all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A setting that was screened: its figure, or why there is none."""

    setting: Setting
    figure: Figure | None = None
    failure: str = ""


def screen(
    start: Setting,
    grid: Sequence[Sequence[Change]],
    cores: int,
    bench: Bench,
    rank: Callable[[Figure], tuple[float, ...]],
) -> list[Trial]:
    """Go along each axis from the best so far, which is measured again for each axis.

    Args:
        start: the pipeline's own setting, which must be able to serve.
        grid: the axes.
        cores: that the server may use.
        bench: measures.
        rank: a figure's place; more is better.

    Returns:
        Every setting that was tried, in the order of its first figure.

    Raises:
        AnalyzerError: no figure of the start could be taken.
        ServerError: the start cannot be served.
    """
    best = start
    tried: dict[Setting, Trial] = {}
    for axis in grid:
        bench.keep([best])
        candidates = [dataclasses.replace(best, **change) for change in axis]
        new = [one for one in candidates if not any(is_same(one, old, cores) for old in tried)]
        new = [one for one in new if not is_same(one, best, cores)]
        if not new and tried:
            continue
        figures = {best: bench.figure(best)}
        tried.setdefault(best, Trial(setting=best, figure=figures[best]))
        for one in new:
            trial = _tried(one, bench)
            tried[one] = trial
            bench.keep([best])
            if trial.figure is not None:
                figures[one] = trial.figure
        best = max(figures, key=lambda setting: rank(figures[setting]))
    return list(tried.values())


def finalists(
    trials: Sequence[Trial], always: Sequence[Setting], rank: Callable[[Figure], tuple[float, ...]]
) -> list[Setting]:
    """Whom to measure in turn: some settings always, then the best of the others."""
    ranked = sorted(
        ((rank(one.figure), one.setting) for one in trials if one.figure is not None),
        key=lambda pair: pair[0],
        reverse=True,
    )
    others = [setting for _, setting in ranked if setting not in always]
    return [*dict.fromkeys(always), *others[:FINALISTS]]


def _tried(setting: Setting, bench: Bench) -> Trial:
    try:
        return Trial(setting=setting, figure=bench.figure(setting))
    except (AnalyzerError, ServerError) as error:
        return Trial(setting=setting, failure=str(error))
