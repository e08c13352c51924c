"""Draw the sweeps: measured speed, the fit, and the products alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ernie_triton.perf.reporting.style import COLOURS, figure, legend_below
from ernie_triton.perf.scaling.measure import MeasuredPoint, Scaling
from ernie_triton.perf.scaling.sweeps import Sweep

_SIZE_INCHES = (10, 7.5)
_MEASURED, _ARITHMETIC, *_ = COLOURS
_FITTED = "#444444"


def draw_scaling(scaling: Scaling, path: Path) -> None:
    """Write a PNG with one panel for each sweep, both axes logarithmic.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    with figure(columns=2, rows=2, inches=_SIZE_INCHES) as (drawn, panels):
        for panel, (sweep, points) in zip(panels, scaling.sweeps, strict=True):
            _draw_sweep(panel, sweep, points, scaling)
        legend_below(drawn, panels[0])
        middle = _middle_words(scaling)
        drawn.suptitle(f"Engine alone, OpenVINO {scaling.precision}; otherwise {middle}")
        drawn.savefig(path)


def _draw_sweep(
    panel: Any,  # noqa: ANN401 - matplotlib's axes
    sweep: Sweep,
    points: Sequence[MeasuredPoint],
    scaling: Scaling,
) -> None:
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    values = [one.value for one in points]
    speeds = [one.texts_per_s for one in points]
    below = [one.texts_per_s - one.point.rows / one.seconds.highest for one in points]
    above = [one.point.rows / one.seconds.lowest - one.texts_per_s for one in points]
    costs = scaling.costs
    panel.errorbar(
        values,
        speeds,
        yerr=[below, above],
        fmt="o",
        color=_MEASURED,
        capsize=3,
        label="measured: median, range",
    )
    fitted = [one.point.rows / costs.seconds(one.point) for one in points]
    panel.plot(values, fitted, color=_FITTED, label="fitted: products + layers + tokens")
    if costs.flop_s:
        alone = [one.point.rows / costs.arithmetic_s(one.point) for one in points]
        panel.plot(
            values, alone, "--", color=_ARITHMETIC, label="products alone, at the fitted rate"
        )
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xticks(values, [str(value) for value in values])
    panel.minorticks_off()
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    panel.set_xlabel(sweep.axis)
    panel.set_ylabel("texts per second")
    panel.grid(visible=True, alpha=0.25)


def _middle_words(scaling: Scaling) -> str:
    """Describe the sizes that most points share."""
    points = [one.point for _, measured in scaling.sweeps for one in measured]
    middle = max(points, key=points.count)
    shape = middle.shape
    return f"{shape.layers} layers x {shape.hidden}, {middle.rows} texts of {middle.tokens} tokens"
