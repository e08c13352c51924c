"""Style shared by all plots: size, colours, axes, a legend beside the data, files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ernie_triton.errors import MissingExtraError

# Okabe and Ito's palette, which the colour-blind can tell apart, darkened where it is pale.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#b8860b", "#444444", "#7b3294")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_INCHES = (8.0, 4.8)
_FORMATS = ("png", "svg")


@contextmanager
def figure(
    columns: int = 1,
    rows: int = 1,
    inches: tuple[float, float] = _INCHES,
    height_ratios: Sequence[float] | None = None,
) -> Iterator[tuple[Any, Sequence[Any]]]:
    """Yield a figure and its axes, row by row.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "perf", "a plot") from error
    settings: dict[Any, Any] = {
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "axes.axisbelow": True,
        "svg.hashsalt": "ernie-triton",
        "svg.fonttype": "none",
    }
    with mpl.rc_context(settings):
        drawn = Figure(figsize=inches, layout="constrained", dpi=120)
        FigureCanvasAgg(drawn)
        axes = drawn.subplots(rows, columns, squeeze=False, height_ratios=height_ratios)
        yield drawn, list(axes.flatten())


def save(drawn: Any, folder: Path, name: str) -> list[Path]:  # noqa: ANN401 - matplotlib's figure
    """Write the figure as PNG and SVG; the same figure gives the same files."""
    paths = [folder / f"{name}.{suffix}" for suffix in _FORMATS]
    for path in paths:
        metadata = {"Date": None} if path.suffix == ".svg" else {}
        drawn.savefig(path, metadata=metadata)
        # The layout takes most of the time, so only the first file computes it.
        drawn.set_layout_engine("none")
    return paths


def legend_below(drawn: Any, axes: Any, columns: int = 4) -> None:  # noqa: ANN401
    """Put the legend under the axes, where it covers no data."""
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > 1:
        drawn.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=min(columns, len(labels)),
            frameon=False,
        )


def look_of(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Choose a colour and a marker for each name."""
    return {
        name: (COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)])
        for place, name in enumerate(names)
    }
