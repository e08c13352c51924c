"""Plots are drawn for the data there are; how they look is looked at."""

import dataclasses
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ernie_triton.perf.reporting.plots import draw_all, draw_stages
from ernie_triton.perf.results import Measurement
from tests.perf.runs import a_measurement

LEVELS = (1, 4, 16)


def measurements(accuracy: float | None = 0.5) -> list[Measurement]:
    return [
        a_measurement(
            subject=subject,
            level=level,
            qps=level * 100.0,
            p50_ms=level * 1.5,
            mode=mode,
            accuracy=accuracy,
        )
        for subject in ("nano int8", "nano bf16", "medium int8")
        for mode in ("concurrency", "request_rate")
        for level in LEVELS
    ]


def words_of(path: Path) -> str:
    tree = ElementTree.parse(path)
    return "\n".join(
        "".join(text.itertext()) for text in tree.iter("{http://www.w3.org/2000/svg}text")
    )


def test_every_plot_is_written_as_png_and_svg_with_units(tmp_path: Path) -> None:
    paths = draw_all(measurements(), "a title", tmp_path)
    names = ("latency", "open_loop", "stages", "batches", "accuracy")
    assert [path.name for path in paths] == [
        f"{name}.{suffix}" for name in names for suffix in ("png", "svg")
    ]
    units = {
        "latency": ("texts per second", "latency of a request, ms", "p50", "p99", "1, 4, 16"),
        "open_loop": ("texts per second", "Poisson"),
        "stages": (
            "ms",
            "queue",
            "tokenizer",
            "engine",
            "postprocess",
            "the rest: wire and client",
        ),
        "batches": ("concurrency", "rows of an engine run"),
        "accuracy": ("ms", "accuracy", "int8", "bf16"),
    }
    for name, expected in units.items():
        words = words_of(tmp_path / f"{name}.svg")
        assert "a title" in words
        for word in expected:
            assert word in words
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_results_give_the_same_svg(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        draw_stages(measurements(), "a title", tmp_path / folder)
    for path in (tmp_path / "one").glob("*.svg"):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("found", "names"),
    [
        ([a_measurement(level=8)], {"stages"}),
        ([dataclasses.replace(a_measurement(level=8), stages={})], set()),
        ([a_measurement(level=1, accuracy=0.5)], {"stages", "accuracy"}),
    ],
)
def test_a_plot_without_data_is_left_out(
    tmp_path: Path, found: list[Measurement], names: set[str]
) -> None:
    draw_all(found, "a title", tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == names
