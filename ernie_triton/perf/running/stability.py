"""Find the reasons not to trust a figure."""

from collections.abc import Iterator

from ernie_triton.perf.analyzer.output import AnalyzerFigures
from ernie_triton.perf.analyzer.watch import Sighting
from ernie_triton.perf.results import CONCURRENCY, RequestLoad
from ernie_triton.perf.running.checker import Checked
from ernie_triton.perf.running.scenario import Stability

SHORTENED = "shortened by --quick"
_GROWTH = 2.0


def reasons(
    limits: Stability,
    load: RequestLoad,
    figures: AnalyzerFigures,
    sighting: Sighting,
    checked: Checked,
) -> Iterator[str]:
    """Yield a sentence for each limit that is exceeded; none where the figures are stable."""
    if load.mode == CONCURRENCY:
        yield from _closed_loop(limits, figures)
    else:
        yield from _open_loop(limits, load, figures)
    if sighting.other_cores is not None and sighting.other_cores > limits.other_cores:
        yield (
            f"other programs used {sighting.other_cores:.2f} cores, more than "
            f"{limits.other_cores:g}"
        )
    for reason, count in checked.failures.items():
        yield f"{count} checked request(s) got no answer: {reason}"


def _closed_loop(limits: Stability, figures: AnalyzerFigures) -> Iterator[str]:
    varied = 100 * figures.variation, 100 * figures.latency_variation
    for percent, what in zip(varied, ("rate", "mean latency"), strict=True):
        if percent > limits.variation_percent:
            yield (
                f"the {what} of the windows varied by {percent:.0f} %, more than "
                f"{limits.variation_percent:g} %"
            )


def _open_loop(limits: Stability, load: RequestLoad, figures: AnalyzerFigures) -> Iterator[str]:
    """Find a server that lags behind Poisson arrivals, which vary between windows by themselves.

    A number of Poisson arrivals has the standard deviation of its square root.
    """
    answered = figures.rows_per_second / load.batch_size
    allowed_percent = limits.variation_percent + 300 / max(figures.requests, 1) ** 0.5
    missing_percent = 100 * (1 - answered / load.level)
    if missing_percent > allowed_percent:
        yield f"only {answered:.4g} of {load.level:.4g} requests a second were answered"
    means = [window.mean_us for window in figures.windows]
    if means == sorted(means) and means and means[-1] > _GROWTH * means[0]:
        yield f"the latency grew from window to window, {means[-1] / means[0]:.1f} times in all"
    if figures.delayed_percent > limits.delayed_percent:
        yield (
            f"{figures.delayed_percent:.1f} % of the requests started late, more than "
            f"{limits.delayed_percent:g} %"
        )


def not_settled(windows: int, percent: float) -> str:
    """Describe that perf_analyzer gave up."""
    return f"perf_analyzer did not settle within {percent:g} % in {windows} windows"
