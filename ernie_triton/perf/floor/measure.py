"""Time the floor and pipelines in one server, one request at a time, in turn."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ernie_triton.perf.analyzer.load_test import BUSY, IDLE, LoadTest, inputs_of
from ernie_triton.perf.analyzer.texts import TITLES, rows_of_kind
from ernie_triton.perf.floor.ceiling import Ceiling, measure_ceiling
from ernie_triton.perf.floor.repository import ONE_STAGE, THREE_STAGES, link_pipeline, write_floor
from ernie_triton.perf.paired import Spread, in_turn, spread
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.options import ServerOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Median latency at concurrency 1 in milliseconds: median of the rounds with their range.

    Attributes:
        one_stage: of one Python stage that passes its text on: network and server.
        three_stages: of an ensemble of three such stages: the least time of a pipeline.
        pipelines: of real pipelines, by name.
        ceilings: the CPU time of a text of each, under load.
    """

    one_stage: Spread
    three_stages: Spread
    pipelines: Mapping[str, Spread]
    ceilings: tuple[Ceiling, ...] = ()

    def table(self) -> str:
        """Return Markdown tables, one after the other."""
        rows = {
            "one stage, empty": self.one_stage,
            "three stages, empty": self.three_stages,
            **self.pipelines,
        }
        floor = self.three_stages.median
        lines = ["| | p50 ms (range) | above the floor |", "|---|---:|---:|"]
        for name, found in rows.items():
            above = "" if name.endswith("empty") else f"{found.median - floor:+.2f} ms"
            lines.append(f"| {name} | {found.text()} | {above} |")
        return "\n\n".join(["\n".join(lines), *(ceiling.table() for ceiling in self.ceilings)])


def measure_floor(
    source: Path,
    names: tuple[str, ...],
    *,
    rounds: int,
    seconds: float,
    progress: Callable[[str], None],
) -> Floor:
    """Serve the empty models and the pipelines, and time one request at a time of each in turn.

    Then each pipeline is under load for as long as a figure takes, for its CPU time.

    Args:
        source: the repository of the pipelines.
        names: of the pipelines; may be empty.
        rounds: turns of each; a warm-up round comes before them.
        seconds: of each figure.
        progress: receives a line before each measurement.

    Raises:
        RepositoryError: the repository lacks a pipeline.
        ServerError: the server does not start.
        AnalyzerError: perf_analyzer failed.
    """
    with tempfile.TemporaryDirectory(prefix="ernie-triton-floor-") as folder:
        repository = Path(folder)
        write_floor(repository)
        for name in names:
            link_pipeline(source, name, repository)
        options = ServerOptions(repository=repository, grpc_port=0, metrics_port=0)
        with EmbeddedServer(options) as server:
            tests = {
                name: _load_test(server.url, name, seconds)
                for name in (ONE_STAGE, THREE_STAGES, *names)
            }
            subjects = {name: partial(_p50_ms, test) for name, test in tests.items()}
            found = in_turn(subjects, rounds + 1, progress)
            ceilings = []
            for name in names:
                progress(f"{name}: {BUSY.level:.0f} requests under way")
                load = partial(tests[name].figures, BUSY)
                ceilings.append(measure_ceiling(server.url, server.pid, name, load))
    spreads = {name: spread(figures[1:]) for name, figures in found.items()}
    return Floor(
        one_stage=spreads[ONE_STAGE],
        three_stages=spreads[THREE_STAGES],
        pipelines={name: spreads[name] for name in names},
        ceilings=tuple(ceilings),
    )


def _load_test(url: str, name: str, seconds: float) -> LoadTest:
    inputs = inputs_of(url, name)
    rows = rows_of_kind(TITLES, inputs)
    return LoadTest(url=url, model=name, inputs=inputs, rows=rows, seconds=seconds)


def _p50_ms(test: LoadTest) -> float:
    return test.figures(IDLE).latency.p50_us / 1000
