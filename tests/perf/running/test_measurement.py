"""One measurement with a program in perf_analyzer's place that writes what the real one wrote."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.client.statistics import StageCounts
from ernie_triton.errors import AnalyzerError, ServerError, WrongAnswerError
from ernie_triton.perf.analyzer.generator import Windows
from ernie_triton.perf.results import RequestLoad, Subject
from ernie_triton.perf.running.checker import Check, SoloAnswer
from ernie_triton.perf.running.measurement import Procedure, Stream, measure_streams
from ernie_triton.perf.running.scenario import Stability
from ernie_triton.perf.running.target import ServedSubject
from ernie_triton.tasks import SEQ_CLS

CAPTURED = Path(__file__).parents[1] / "analyzer" / "captured"
CLOSED = RequestLoad(mode="concurrency", level=8.0)
# Each run takes the next line: how to end. Arguments are kept for the test to read.
PROGRAM = """#!/bin/sh
cd "{folder}"
echo "$@" >> arguments
way=$(head -n 1 ways); sed -i 1d ways
while [ $# -gt 1 ]; do [ "$1" = -f ] && figures=$2; shift; done
case $way in
closed) cat "{captured}/closed.out"; cp "{captured}/closed.csv" "$figures";;
unsettled) cat "{captured}/unsettled.out"; cat "{captured}/unsettled.err" >&2; exit 2;;
short) cat "{captured}/short_window.err" >&2; exit 3;;
lapse) echo failed to find the requested model version >&2; exit 99;;
refused) cat "{captured}/refused.err" >&2; exit 99;;
hanging) sleep 30;;
esac
"""


class CountedStages:
    """The server's account: each look finds as many requests more, 8 to a run, 2 ms of queue."""

    def __init__(self) -> None:
        self._looks = 0

    def counts(self, models: tuple[str, ...]) -> Mapping[str, StageCounts]:
        self._looks += 1
        requests = 80 * self._looks
        counts = StageCounts(
            requests=requests,
            failures=0,
            rows=requests,
            executions=requests // 8,
            queue_ns=requests * 2_000_000,
            input_ns=requests * 10_000,
            compute_ns=requests * 3_000_000,
            output_ns=requests * 20_000,
        )
        return dict.fromkeys(models, counts)


@pytest.fixture
def ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the program's ways to end."""
    program = tmp_path / "perf_analyzer"
    program.write_text(PROGRAM.format(folder=tmp_path, captured=CAPTURED), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere" / "python"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "ways"


def procedure(answer: str = "right", *, still: Any = lambda: None) -> Procedure:
    statistics: Any = CountedStages()
    target = ServedSubject(
        url="far.example:8001",
        subject=Subject(name="one", model="ernie_seqcls"),
        task=SEQ_CLS,
        inputs=("text",),
        max_batch_size=64,
        stages={"engine": "ernie_seqcls_engine"},
        metrics_url="",
        server_version="2.51.0",
        ask=lambda _: answer,
        statistics=statistics,
        server_pid=None,
    )
    return Procedure(
        target=target,
        check=Check(
            solos=[SoloAnswer(row=("文",), answer="right")],
            ask=target.ask,
            equal=lambda one, other, _: bool(one == other),
            tolerance=0.0,
            per_second=500.0,
        ),
        windows=Windows(seconds=0.5, settle_percent=10, most=4),
        stability=Stability(variation_percent=1000, other_cores=1000),
        still_serving=still,
    )


STREAMS = [Stream(load=CLOSED, rows=[("文",)])]


def arguments(ways: Path) -> list[str]:
    return ways.with_name("arguments").read_text(encoding="utf-8").splitlines()


def test_figures_are_perf_analyzers_and_stages_the_servers(ways: Path) -> None:
    ways.write_text("closed\n", encoding="utf-8")
    (found,) = measure_streams(procedure(), STREAMS)
    assert found.qps == pytest.approx(415.996)
    assert found.latency.p99_us == 39448
    stage = found.stages["engine"]
    assert (stage.executions, stage.batch) == (10, 8.0)
    assert (stage.queue_us, stage.input_us, stage.compute_us, stage.output_us) == (2e3, 10, 3e3, 20)
    assert found.unstable == ()


def test_windows_that_never_settle_give_figures_that_are_marked(ways: Path) -> None:
    ways.write_text("unsettled\nclosed\n", encoding="utf-8")
    (found,) = measure_streams(procedure(), STREAMS)
    assert found.unstable == ("perf_analyzer did not settle within 10 % in 4 windows",)
    first, second = arguments(ways)
    assert "--stability-percentage 10 --max-trials 4" in first
    assert "--stability-percentage 1e+06 --max-trials 3" in second


def test_a_window_without_an_answer_is_made_longer(ways: Path) -> None:
    ways.write_text("short\nclosed\n", encoding="utf-8")
    (found,) = measure_streams(procedure(), STREAMS)
    assert found.unstable == ()
    intervals = [
        line.partition("--measurement-interval ")[2].split()[0] for line in arguments(ways)
    ]
    assert intervals == ["500", "2000"]


def test_a_lapse_of_perf_analyzer_is_tried_again_and_not_for_ever(ways: Path) -> None:
    ways.write_text("lapse\nclosed\n", encoding="utf-8")
    assert len(measure_streams(procedure(), STREAMS)) == 1
    ways.write_text("lapse\n" * 9, encoding="utf-8")
    with pytest.raises(AnalyzerError, match="failed to find the requested model version"):
        measure_streams(procedure(), STREAMS)


def test_a_refused_request_is_the_servers_word(ways: Path) -> None:
    ways.write_text("refused\n", encoding="utf-8")
    with pytest.raises(AnalyzerError, match=r"code 99.*Exceeds maximum queue size"):
        measure_streams(procedure(), STREAMS)


def test_an_answer_that_differs_stops_the_load_at_once(ways: Path) -> None:
    ways.write_text("hanging\n", encoding="utf-8")
    with pytest.raises(WrongAnswerError, match="text: '文'; alone: 'right'; under load: 'wrong'"):
        measure_streams(procedure("wrong"), STREAMS)


def test_a_server_that_ends_stops_the_load_at_once(ways: Path) -> None:
    def gone() -> None:
        raise ServerError("the server stopped by itself")

    ways.write_text("hanging\n", encoding="utf-8")
    with pytest.raises(ServerError, match="stopped by itself"):
        measure_streams(procedure(still=gone), STREAMS)
