"""Draw plots of results; each function returns its files, or none without data."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ernie_triton.perf.reporting.series import Series, heaviest, series_of
from ernie_triton.perf.reporting.style import COLOURS, figure, legend_below, look_of, save
from ernie_triton.perf.results import CONCURRENCY, REQUEST_RATE, Measurement
from ernie_triton.stage_names import PARTS

_LOG_RATIO = 8.0
"""An axis whose values span more than this is logarithmic."""


def draw_all(measurements: Sequence[Measurement], title: str, folder: Path) -> list[Path]:
    """Draw every plot for which there are data.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    plots: tuple[Callable[[Sequence[Measurement], str, Path], list[Path]], ...] = (
        draw_latency,
        draw_open_loop,
        draw_stages,
        draw_batches,
        draw_accuracy,
    )
    return [path for plot in plots for path in plot(measurements, title, folder)]


def draw_latency(measurements: Sequence[Measurement], title: str, folder: Path) -> list[Path]:
    """Draw latency against rows per second as concurrency grows: p50 and p99."""
    lines = series_of(measurements, CONCURRENCY)
    levels = sorted({one.load.level for line in lines for one in line.measurements})
    points = ", ".join(f"{level:.0f}" for level in levels)
    heading = f"{title}: closed loop\npoints from left to right: {points} requests under way"
    return _draw_latency(lines, heading, folder, "latency")


def draw_open_loop(measurements: Sequence[Measurement], title: str, folder: Path) -> list[Path]:
    """Draw latency against rows per second as the rate of Poisson arrivals grows."""
    lines = series_of(measurements, REQUEST_RATE)
    return _draw_latency(lines, f"{title}: Poisson arrivals", folder, "open_loop")


def draw_stages(measurements: Sequence[Measurement], title: str, folder: Path) -> list[Path]:
    """Draw the time of a request by stage, at each subject's highest load, stacked."""
    shown = [one for one in heaviest(measurements) if _has_stages(one)]
    if not shown:
        return []
    names = [f"{one.subject.name}\n{one.load}" for one in shown]
    queue = [sum(times.queue_us for times in one.stages.values()) / 1e3 for one in shown]
    parts = [("queue", queue)]
    for stage in PARTS:
        parts.append((stage, [_stage_ms(one, stage) for one in shown]))
    served = [sum(values[at] for _, values in parts) for at in range(len(shown))]
    rest = [max(0.0, one.latency.mean_us / 1e3 - ms) for one, ms in zip(shown, served, strict=True)]
    parts.append(("the rest: wire and client", rest))
    with figure() as (drawn, (axes,)):
        left = [0.0] * len(shown)
        colours = ("#bbbbbb", COLOURS[4], COLOURS[0], COLOURS[2], "#e6d8ad")
        for (name, values), colour in zip(parts, colours, strict=True):
            axes.barh(names, values, left=left, label=name, color=colour, height=0.6)
            left = [one + more for one, more in zip(left, values, strict=True)]
        axes.invert_yaxis()
        axes.set_xlim(right=1.04 * max(left))
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("mean time of a request, ms")
        axes.set_title(f"{title}: where the time goes")
        legend_below(drawn, axes, columns=5)
        return save(drawn, folder, "stages")


def draw_batches(measurements: Sequence[Measurement], title: str, folder: Path) -> list[Path]:
    """Draw the rows of an engine's run as concurrency grows."""
    lines = [
        Series(line.name, tuple(one for one in line.measurements if _has_stages(one)))
        for line in series_of(measurements, CONCURRENCY)
    ]
    lines = [line for line in lines if line.measurements]
    if not lines:
        return []
    look = look_of([line.name for line in lines])
    with figure() as (drawn, (axes,)):
        for line in lines:
            levels = [one.load.level for one in line.measurements]
            batches = [one.stages["engine"].batch for one in line.measurements]
            colour, marker = look[line.name]
            axes.plot(levels, batches, color=colour, marker=marker, label=line.name)
        levels = sorted({one.load.level for line in lines for one in line.measurements})
        axes.plot(levels, levels, color="#888888", linestyle=":", label="all in one run")
        _doubling_axes(axes, levels)
        axes.set_xlabel("requests under way (concurrency)")
        axes.set_ylabel("mean rows of an engine run")
        axes.set_title(f"{title}: batches that the engine gets")
        legend_below(drawn, axes)
        return save(drawn, folder, "batches")


def draw_accuracy(measurements: Sequence[Measurement], title: str, folder: Path) -> list[Path]:
    """Draw accuracy against the median latency of single requests, a point for each subject."""
    single = _single_requests(measurements)
    if not single:
        return []
    shapes = list(dict.fromkeys(_shape(one) for one in single))
    look = look_of(shapes)
    with figure() as (drawn, (axes,)):
        for shape in shapes:
            points = [one for one in single if _shape(one) == shape]
            points.sort(key=lambda one: one.latency.p50_us)
            times = [one.latency.p50_us / 1e3 for one in points]
            values = [one.subject.accuracy for one in points]
            colour, marker = look[shape]
            axes.plot(times, values, color=colour, marker=marker, label=shape, linewidth=1)
            for one, time_ms in zip(points, times, strict=True):
                place = (time_ms, one.subject.accuracy)
                _annotate(axes, place, one.subject.precision or one.subject.name, colour)
        _time_axis(axes, "x", [one.latency.p50_us / 1e3 for one in single])
        axes.margins(x=0.12, y=0.18)
        texts = f" ({single[0].load.texts})" if single[0].load.texts else ""
        axes.set_xlabel(f"median latency of a single request{texts}, ms")
        axes.set_ylabel(single[0].subject.metric or "accuracy")
        axes.set_title(f"{title}: accuracy against latency")
        legend_below(drawn, axes)
        return save(drawn, folder, "accuracy")


def _single_requests(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Keep single requests of one row and one kind of texts, of subjects with an accuracy."""
    single = [
        one
        for one in measurements
        if one.subject.accuracy is not None
        and (one.load.mode, one.load.level, one.load.batch_size) == (CONCURRENCY, 1, 1)
    ]
    return [one for one in single if one.load.texts == single[0].load.texts]


def _shape(found: Measurement) -> str:
    return found.subject.shape or found.subject.name


def _annotate(axes: Any, place: Any, words: str, colour: str) -> None:  # noqa: ANN401
    axes.annotate(
        words,
        place,
        xytext=(-4, 6),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )


def _draw_latency(lines: Sequence[Series], title: str, folder: Path, name: str) -> list[Path]:
    """Draw two panels, p50 and p99, with one scale."""
    if not lines:
        return []
    look = look_of([line.name for line in lines])
    with figure(columns=2) as (drawn, both):
        for axes, percentile in zip(both, ("p50", "p99"), strict=True):
            for line in lines:
                rates = [one.qps * one.load.batch_size for one in line.measurements]
                times = [
                    getattr(one.latency, f"{percentile}_us") / 1e3 for one in line.measurements
                ]
                colour, marker = look[line.name]
                axes.plot(rates, times, color=colour, marker=marker, markersize=5, label=line.name)
            axes.set_xlabel("texts per second")
            axes.set_title(percentile)
        everything = [one for line in lines for one in line.measurements]
        times = [one.latency.p50_us / 1e3 for one in everything]
        times += [one.latency.p99_us / 1e3 for one in everything]
        for axes in both:
            _time_axis(axes, "y", times)
            _rate_axis(axes, [one.qps * one.load.batch_size for one in everything])
        low, high = min(times), max(times)
        for axes in both:
            axes.set_ylim(*_limits(low, high, is_log=high > _LOG_RATIO * low))
        both[0].set_ylabel("latency of a request, ms")
        drawn.suptitle(title)
        legend_below(drawn, both[0])
        return save(drawn, folder, name)


def _doubling_axes(axes: Any, levels: Sequence[float]) -> None:  # noqa: ANN401
    """Make both axes logarithmic, with the levels as ticks."""
    names = [f"{level:.0f}" for level in levels]
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xticks(levels, names)
    axes.set_yticks(levels, names)


def _limits(low: float, high: float, *, is_log: bool) -> tuple[float, float]:
    return (low / 1.4, high * 1.4) if is_log else (0.0, high * 1.08)


def _time_axis(axes: Any, axis: str, values: Sequence[float]) -> None:  # noqa: ANN401
    """Make an axis logarithmic, with plain numbers, where the values span a wide range."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if max(values) <= _LOG_RATIO * min(values):
        return
    getattr(axes, f"set_{axis}scale")("log")
    ticks = getattr(axes, f"{axis}axis")
    ticks.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    ticks.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ticks.set_minor_formatter(NullFormatter())


def _rate_axis(axes: Any, values: Sequence[float]) -> None:  # noqa: ANN401
    from matplotlib.ticker import FuncFormatter

    if max(values) > 10 * min(values):
        _time_axis(axes, "x", values)
    else:
        axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _stage_ms(found: Measurement, stage: str) -> float:
    times = found.stages.get(stage)
    return 0.0 if times is None else (times.input_us + times.compute_us + times.output_us) / 1e3


def _has_stages(found: Measurement) -> bool:
    return "engine" in found.stages
