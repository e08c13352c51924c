"""Screen candidates with one short figure each, axis by axis."""

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
        is_unstable: a limit of stability was exceeded.
    """

    texts_per_s: float
    p50_ms: float
    p99_ms: float
    is_unstable: bool = False


class Bench(Protocol):
    """Measures settings; a server is started when its setting is first measured."""

    def figure(self, setting: Setting) -> Figure:
        """Measure once.

        Raises:
            AnalyzerError: no figure could be taken.
            ServerError: the setting cannot be served.
        """

    def keep(self, settings: Collection[Setting]) -> None:
        """Stop the servers of all other settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A screened setting: its figure, or the reason why it has none."""

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
    """Go along each axis from the best setting so far, which is measured again for each axis.

    Args:
        start: the pipeline's own setting, which must be able to serve.
        grid: the axes.
        cores: number of cores of the server.
        bench: takes the figures.
        rank: ranks a figure; more is better.

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
    """Choose the settings to measure in turn: `always`, then the best of the others."""
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
