"""Draw the report's two plots: accuracy against latency, and speed and size by variant."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ernie_triton.perf.compression_report.content import CompressionReport, VariantRow
from ernie_triton.perf.compression_report.table import MARK
from ernie_triton.perf.reporting.style import COLOURS, MARKERS, figure, legend_below, save

_MIB = 1 << 20
_LOG_RATIO = 8.0
"""An axis whose values span more than this is logarithmic."""
_UNSTABLE_ALPHA = 0.45


def draw_points(report: CompressionReport, folder: Path) -> list[Path]:
    """Draw accuracy against latency: a point for each variant's p50, and a line to its p99.

    Colours stand for models, markers for precisions.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    look = _look(report.rows)
    with figure() as (drawn, (axes,)):
        for row in report.rows:
            colour, marker = look[row.name]
            times = [row.p50_ms.median, max(row.p50_ms.median, row.p99_ms.median)]
            alpha = _UNSTABLE_ALPHA if row.unstable else 1.0
            axes.plot(times, [row.points] * 2, color=colour, linewidth=1, alpha=0.6 * alpha)
            axes.plot(
                times[:1],
                [row.points],
                color=colour,
                marker=marker,
                markersize=9,
                linestyle="",
                label=_label(row),
                alpha=alpha,
            )
        every = [time for row in report.rows for time in (row.p50_ms.median, row.p99_ms.median)]
        _scale(axes, every)
        axes.margins(y=0.15)
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.set_xlabel("latency at concurrency 1, ms: marker p50, end of the line p99")
        axes.set_ylabel(f"{report.metric}, points of 100")
        axes.set_title(_title(report, "accuracy against latency"), fontsize=11)
        legend_below(drawn, axes, columns=4)
        return save(drawn, folder, "accuracy")


def draw_speed(report: CompressionReport, folder: Path) -> list[Path]:
    """Draw two panels with a line for each variant: requests a second, and size.

    Values are bars, or points where they span a wide range.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    rows = report.rows
    rates = [row.qps.median for row in rows]
    sizes = [row.size_bytes / _MIB for row in rows]
    with figure(columns=2) as (drawn, (left, right)):
        words = [f"{row.qps.median:,.0f} ({row.speed_up.median:.2f}x)" for row in rows]
        lowest, highest = ([getattr(row.qps, end) for row in rows] for end in ("lowest", "highest"))
        _draw_lines(left, rows, rates, words, highest)
        left.hlines(range(len(rows)), lowest, highest, color="#333333", linewidth=1.5)
        left.set_xlabel("requests a second (speed-up)")
        _draw_lines(right, rows, sizes, [f"{size:,.1f}" for size in sizes], sizes)
        right.set_xlabel("size of the engine's files, MiB")
        right.tick_params(labelleft=False)
        drawn.suptitle(_title(report, "speed and size"), fontsize=11)
        return save(drawn, folder, "speed")


def draw_report(report: CompressionReport, folder: Path) -> list[Path]:
    """Draw both plots.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    return [*draw_points(report, folder), *draw_speed(report, folder)]


def _look(rows: Sequence[VariantRow]) -> dict[str, tuple[str, str]]:
    """Choose a colour by model and a marker by precision for each variant."""
    models = list(dict.fromkeys(row.model for row in rows))
    precisions = list(dict.fromkeys(row.precision for row in rows))
    return {
        row.name: (
            COLOURS[models.index(row.model) % len(COLOURS)],
            MARKERS[precisions.index(row.precision) % len(MARKERS)],
        )
        for row in rows
    }


def _label(row: VariantRow) -> str:
    return f"{row.name}{MARK}" if row.unstable else row.name


def _title(report: CompressionReport, what: str) -> str:
    unstable = f" ({MARK} not to be trusted)" if any(row.unstable for row in report.rows) else ""
    return f"{report.title}: {what}{unstable}"


def _draw_lines(
    axes: Any,  # noqa: ANN401 - matplotlib's axes
    rows: Sequence[VariantRow],
    values: Sequence[float],
    words: Sequence[str],
    ends: Sequence[float],
) -> None:
    """Draw a bar or a point for each variant, with words beyond its end."""
    colours = [_look(rows)[row.name][0] for row in rows]
    places = range(len(rows))
    is_wide = max(values) > _LOG_RATIO * min(values)
    if is_wide:
        axes.scatter(values, places, color=colours, s=55, zorder=3)
    else:
        axes.barh(places, values, color=colours, height=0.65)
    for place, end, text in zip(places, ends, words, strict=True):
        axes.annotate(
            text,
            (end, place),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            # Long words go beyond the axes, not over other things.
            annotation_clip=False,
        )
    _scale(axes, [*values, *ends], room=2.5)
    axes.set_yticks(places, [_label(row) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=is_wide, axis="y")


def _scale(axes: Any, values: Sequence[float], room: float = 1.0) -> None:  # noqa: ANN401
    """Scale the horizontal axis: from 0, or logarithmic where the values span a wide range.

    Args:
        axes: the axes.
        values: the values to show.
        room: space at the right for words, as a factor of the greatest value's place.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = min(values), max(values)
    if high <= _LOG_RATIO * low:
        axes.set_xlim(0.0, 1.12 * high * room**0.5)
        return
    axes.set_xscale("log")
    low, high = low / 1.6, 1.6 * high * (high / low) ** (0.4 * (room > 1))
    axes.set_xlim(low, high)
    subs = (1.0,) if high > 60 * low else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=subs))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
