"""The sweeps as a picture: measured speed, the fit, and the arithmetic alone."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ernie_triton.perf.reporting.style import COLOURS
from ernie_triton.perf.scaling.measure import Measured, Scaling
from ernie_triton.perf.scaling.sweeps import Sweep

_SIZE_INCHES = (10, 7.5)
_DPI = 120
_MEASURED, _ARITHMETIC, *_ = COLOURS
_FITTED = "#444444"


def draw_scaling(scaling: Scaling, path: Path) -> None:
    """Write a PNG with one panel for each sweep, both axes logarithmic."""
    mpl.use("Agg")
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
    panels = figure.subplots(2, 2).flatten()
    for panel, (sweep, points) in zip(panels, scaling.sweeps, strict=True):
        _draw_sweep(panel, sweep, points, scaling)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    middle = _middle_words(scaling)
    figure.suptitle(f"Engine alone, OpenVINO {scaling.precision}; otherwise {middle}")
    figure.savefig(path)


def _draw_sweep(panel: Axes, sweep: Sweep, points: Sequence[Measured], scaling: Scaling) -> None:
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
    panel.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
    panel.set_xlabel(sweep.axis)
    panel.set_ylabel("texts per second")
    panel.grid(visible=True, alpha=0.25)


def _middle_words(scaling: Scaling) -> str:
    """The sizes that most points share."""
    points = [one.point for _, measured in scaling.sweeps for one in measured]
    middle = max(points, key=points.count)
    shape = middle.shape
    return f"{shape.layers} layers x {shape.hidden}, {middle.rows} texts of {middle.tokens} tokens"
