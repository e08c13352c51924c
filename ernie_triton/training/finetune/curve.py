"""The training curve as a PNG: training loss, and metric on the development set."""

import io

from ernie_triton.errors import MissingExtraError
from ernie_triton.training.loop.history import History

_LOSS_COLOR, _METRIC_COLOR = "#7a8794", "#b5432a"
_SIZE_INCHES, _DOTS_PER_INCH = (7.5, 4.2), 130


def check_drawing() -> None:
    """Check that a curve can be drawn, before a training that ends with one.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "train", "drawing the training curve") from error


def curve_png(history: History, *, title: str, metric: str) -> bytes:
    """Draw the curve of a training.

    Args:
        history: its evaluations and losses.
        title: names the model and the data.
        metric: the metric's name.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    check_drawing()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    losses = figure.add_subplot()
    losses.plot(*zip(*history.losses, strict=True), color=_LOSS_COLOR, linewidth=1.2)
    losses.set_xlabel("optimizer steps")
    losses.set_ylabel("training loss (mean since the last point)", color=_LOSS_COLOR)
    losses.set_ylim(bottom=0)
    losses.grid(axis="x", color="#e6e6e6", linewidth=0.6)
    points = losses.twinx()
    steps = [one.step for one in history.evaluations]
    values = [one.points for one in history.evaluations]
    points.plot(steps, values, color=_METRIC_COLOR, marker="o", markersize=4, linewidth=1.2)
    points.set_ylabel(f"{metric} on the development set (points)", color=_METRIC_COLOR)
    best = history.best
    if best is not None:
        points.plot([best.step], [best.points], marker="o", markersize=9, color=_METRIC_COLOR)
        points.annotate(
            f"{best.points:.2f}",
            (best.step, best.points),
            textcoords="offset points",
            xytext=(0, -16),
            ha="center",
            color=_METRIC_COLOR,
        )
    losses.set_title(title)
    content = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(content, format="png")
    return content.getvalue()
