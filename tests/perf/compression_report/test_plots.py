"""The plots hold every variant in its place, with units, and nothing is cut off."""

from pathlib import Path
from typing import Any

import pytest

from ernie_triton.perf.compression_report import plots
from ernie_triton.perf.compression_report.content import VariantRow
from tests.perf.compression_report.figures import report, row

ROWS = (
    row("original", "fp32", points=95.0, qps=200.0),
    row("pruned", "int8", points=94.5, qps=700.0, unstable=("busy",)),
    row("slim bow", "fp32", points=92.0, qps=6000.0),
)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures as they are when they are written."""
    figures: list[Any] = []

    def save(figure: Any, folder: Path, name: str) -> list[Path]:
        figures.append(figure)
        figure.canvas.draw()
        return [folder / name]

    monkeypatch.setattr(plots, "save", save)
    return figures


def test_accuracy_stands_at_its_latency(drawn: list[Any], tmp_path: Path) -> None:
    plots.draw_points(report(*ROWS), tmp_path)
    (axes,) = drawn[0].axes
    points = {
        line.get_label(): (line.get_xdata()[0], line.get_ydata()[0])
        for line in axes.lines
        if not line.get_label().startswith("_")
    }
    assert points == {
        "original FP32": (5.0, 95.0),
        "pruned INT8†": (1000 / 700, 94.5),
        "slim bow FP32": (1000 / 6000, 92.0),
    }
    assert "ms" in axes.get_xlabel()
    assert "accuracy" in axes.get_ylabel()
    inside(drawn[0])


@pytest.mark.parametrize("rows", [ROWS, ROWS[:2]])
def test_speed_and_size_have_a_line_for_each_variant(
    drawn: list[Any], tmp_path: Path, rows: tuple[VariantRow, ...]
) -> None:
    plots.draw_speed(report(*rows), tmp_path)
    left, right = drawn[0].axes
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == ["original FP32", "pruned INT8†", "slim bow FP32"][: len(rows)]
    assert [text.get_text() for text in left.texts][:2] == ["200 (1.00x)", "700 (3.50x)"]
    assert {text.get_text() for text in right.texts} == {"3.0"}
    # A bar's length means nothing on a logarithmic axis, so there are none there.
    assert left.get_xscale() == ("log" if len(rows) == 3 else "linear")
    assert bool(left.patches) == (len(rows) == 2)
    assert left.get_xlim()[1] > max(one.qps.highest for one in rows)
    inside(drawn[0])


def inside(figure: Any) -> None:
    """Every text and tick label is within the picture."""
    whole = figure.bbox
    texts = [text for axes in figure.axes for text in axes.texts]
    texts += [axes.title for axes in figure.axes]
    texts += [text for legend in figure.legends for text in legend.get_texts()]
    for text in texts:
        box = text.get_window_extent()
        assert box.x0 >= whole.x0, text
        assert box.x1 <= whole.x1, text


def test_pictures_are_written(tmp_path: Path) -> None:
    paths = plots.draw_report(report(*ROWS), tmp_path)
    assert [path.name for path in paths if path.suffix == ".png"] == ["accuracy.png", "speed.png"]
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in paths if path.suffix == ".png")
