"""Decide between the best candidates, measured in turn with the pipeline's own setting.

A setting replaces another only where it is better by more than the spread. So noise alone does not
change a pipeline.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ernie_triton.errors import AnalyzerError, ErnieTritonError, ServerError
from ernie_triton.perf.paired import Spread, paired_ratio, spread
from ernie_triton.perf.tuning.search import Bench, Figure, Trial
from ernie_triton.perf.tuning.setting import Setting

_HOPELESS = 2.0
"""A short figure above this many times the budget ends the search."""
LEAST_GAIN = 0.02
"""A smaller gain is not worth a change."""


class BudgetError(ErnieTritonError):
    """No setting keeps the latency that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalist:
    """A setting with its figures, one a round."""

    setting: Setting
    figures: tuple[Figure, ...]

    @property
    def texts_per_s(self) -> Spread:
        """Rows answered per second."""
        return spread(self._values(lambda figure: figure.texts_per_s))

    @property
    def p50_ms(self) -> Spread:
        """The median latency."""
        return spread(self._values(lambda figure: figure.p50_ms))

    @property
    def p99_ms(self) -> Spread:
        """The 99th percentile of latency."""
        return spread(self._values(lambda figure: figure.p99_ms))

    def speed_over(self, other: "Finalist") -> Spread:
        """Divide its texts per second by the other's, round by round."""
        ours, theirs = (one._values(lambda figure: figure.texts_per_s) for one in (self, other))
        return paired_ratio(ours, theirs)

    def _values(self, value: Callable[[Figure], float]) -> list[float]:
        return [value(figure) for figure in self.figures]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The chosen setting; `finalists` begin with the pipeline's own setting."""

    finalists: tuple[Finalist, ...]
    chosen: Finalist

    @property
    def given(self) -> Finalist:
        """The pipeline's own setting."""
        return self.finalists[0]

    @property
    def is_change(self) -> bool:
        """Tell whether another setting than the pipeline's own was chosen."""
        return self.chosen is not self.given


def rank_within(budget_ms: float | None) -> Callable[[Figure], tuple[float, ...]]:
    """Rank figures: within the budget by texts per second, outside of it by least latency."""

    def rank(figure: Figure) -> tuple[float, ...]:
        if budget_ms is None or figure.p99_ms <= budget_ms:
            return (1.0, figure.texts_per_s)
        return (0.0, -figure.p99_ms)

    return rank


def measure_finalists(
    settings: Sequence[Setting], rounds: int, bench: Bench, progress: Callable[[str], None]
) -> list[Finalist]:
    """Measure each setting once a round; settings that fail are left out.

    Raises:
        AnalyzerError: no figure of the first setting could be taken.
        ServerError: the first setting cannot be served.
    """
    figures: dict[Setting, list[Figure]] = {setting: [] for setting in settings}
    bench.keep(settings)
    for number in range(1, rounds + 1):
        progress(f"round {number} of {rounds}")
        # Every other round is in reverse order, so a drift of the machine concerns all alike.
        for setting in list(figures) if number % 2 else reversed(list(figures)):
            try:
                figures[setting].append(bench.figure(setting))
            except (AnalyzerError, ServerError) as error:
                if setting == settings[0]:
                    raise
                progress(f"{setting}: left out: {error}")
                del figures[setting]
    return [Finalist(setting=one, figures=tuple(found)) for one, found in figures.items()]


def refuse_hopeless(trials: Sequence[Trial], budget_ms: float | None) -> None:
    """Fail early where no short figure came near the budget.

    Raises:
        BudgetError: all figures are far above the budget.
    """
    found = [(one.figure.p99_ms, one.setting) for one in trials if one.figure is not None]
    best_ms, setting = min(found, key=lambda pair: pair[0])
    if budget_ms is not None and best_ms > _HOPELESS * budget_ms:
        raise _missed(budget_ms, f"{best_ms:.2f} ms", setting)


def decide(finalists: Sequence[Finalist], budget_ms: float | None) -> Decision:
    """Choose the first setting, unless others are better by more than the spread.

    Args:
        finalists: the pipeline's own setting first; each other is compared with the best before.
        budget_ms: largest 99th percentile of latency; None for any.

    Raises:
        BudgetError: no setting keeps the budget.
    """
    chosen = finalists[0]
    for challenger in finalists[1:]:
        if _replaces(challenger, chosen, budget_ms):
            chosen = challenger
    if not _keeps(chosen, budget_ms):
        best = min(finalists, key=lambda one: one.p99_ms.median)
        raise _missed(budget_ms, best.p99_ms.text(" ms"), best.setting)
    return Decision(finalists=tuple(finalists), chosen=chosen)


def is_clearly_faster(challenger: Finalist, other: Finalist) -> bool:
    """Tell whether the median gain exceeds the range of the rounds' gains, and the least gain."""
    gain = challenger.speed_over(other)
    return gain.median - 1 > max(gain.highest - gain.lowest, LEAST_GAIN)


def _replaces(challenger: Finalist, chosen: Finalist, budget_ms: float | None) -> bool:
    if budget_ms is not None:
        if challenger.p99_ms.highest > budget_ms:
            return False
        if not _keeps(chosen, budget_ms):
            return True
    return is_clearly_faster(challenger, chosen)


def _missed(budget_ms: float | None, best: str, setting: Setting) -> BudgetError:
    return BudgetError(
        f"no setting keeps a p99 of {budget_ms:g} ms; the best was {best} with {setting}; allow "
        f"more, or lower --concurrency"
    )


def _keeps(finalist: Finalist, budget_ms: float | None) -> bool:
    return budget_ms is None or finalist.p99_ms.median <= budget_ms
