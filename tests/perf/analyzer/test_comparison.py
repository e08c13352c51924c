"""Two models of one server in turn, with the real perf_analyzer."""

import json
from collections import Counter
from pathlib import Path

import pytest

from ernie_triton.client.statistics import StatisticsClient
from ernie_triton.errors import ModelNotReadyError
from ernie_triton.perf.analyzer.comparison import compare_in_turn
from ernie_triton.perf.analyzer.load_test import LoadTest, inputs_of
from ernie_triton.perf.analyzer.output import AnalyzerFigures
from ernie_triton.perf.results import Latency, RequestLoad
from ernie_triton.server.embedded import EmbeddedServer
from tests.commands import command
from tests.perf.conftest import Tiny

main = command("perf")


def test_ratios_are_of_the_same_round_and_the_first_round_is_thrown_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    speeds = {"a": iter([1.0, 100.0, 10.0]), "b": iter([999.0, 200.0, 30.0])}

    def figures(probe: LoadTest, _: RequestLoad) -> AnalyzerFigures:
        rate = next(speeds[probe.model])
        latency = Latency(mean_us=0, p50_us=1e6 / rate, p90_us=0, p95_us=0, p99_us=2e6 / rate)
        return AnalyzerFigures(
            rows_per_second=rate, latency=latency, windows=(), delayed_percent=0.0
        )

    monkeypatch.setattr(LoadTest, "figures", figures)
    first, second = (
        LoadTest(url="", model=name, inputs=("text",), rows=[("好",)], seconds=1.0) for name in "ab"
    )
    load = RequestLoad(mode="concurrency", level=4.0)
    compared = compare_in_turn((first, second), load, 2, lambda _: None)
    speed, median, tail = compared.lines
    assert (speed.ratio.median, speed.ratio.lowest, speed.ratio.highest) == (2.5, 2.0, 3.0)
    assert median.ratio.lowest == tail.ratio.lowest == pytest.approx(1 / 3)
    assert "| texts/s | 55.00 (10.00 to 100.00) | 115.00 (30.00 to 200.00) | 2.50x" in (
        compared.table()
    )


def batch_sizes(server: EmbeddedServer, stage: str) -> Counter[int]:
    """The runs of a stage so far, by their rows."""
    with StatisticsClient(server.url, stage) as statistics:
        return statistics.batch_sizes()


@pytest.mark.live
def test_the_command_measures_both_models(
    tiny: Tiny,
    tiny_server: EmbeddedServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stages = [f"{name}_engine" for name in (tiny.baseline, tiny.pipeline)]
    before = [batch_sizes(tiny_server, stage) for stage in stages]
    output = tmp_path / "compared.json"
    options = ["--url", tiny_server.url, "--rounds", "1", "--seconds", "0.9", "--concurrency", "8"]
    command = ["compare", tiny.baseline, tiny.pipeline, *options, "--output", str(output)]
    assert main(command) == 0
    captured = capsys.readouterr()
    assert "concurrency 8, 1 rounds in turn" in captured.out
    assert captured.err.splitlines()[-1] == f"round 1 of 1: {tiny.pipeline}"
    lines = json.loads(output.read_text(encoding="utf-8"))["lines"]
    assert [line["figure"] for line in lines] == ["texts/s", "p50 ms", "p99 ms"]
    assert all(line["ratio"]["median"] > 0 for line in lines)
    theirs, ours = (
        batch_sizes(tiny_server, stage) - earlier
        for stage, earlier in zip(stages, before, strict=True)
    )
    # Requests that come together share a run of ours, never one of the baseline's.
    assert set(theirs) == {1}
    assert max(ours) > 1


@pytest.mark.live
def test_a_model_that_is_not_there_is_named(tiny_server: EmbeddedServer) -> None:
    assert inputs_of(tiny_server.url, "tiny") == ("text",)
    with pytest.raises(ModelNotReadyError, match="nothing"):
        inputs_of(tiny_server.url, "nothing")
