"""Serve the variants in one real server, and load them in turn, round after round.

Only one variant gets requests at a time, and each takes one turn a round, so ratios compare figures
that are close in time. The load comes from perf_analyzer.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.client.evaluation.evaluating import Evaluation, Evaluator
from ernie_triton.client.transport import Connection, GrpcTransport
from ernie_triton.client.wire import Endpoint
from ernie_triton.errors import ScenarioError
from ernie_triton.perf.analyzer.load_test import BUSY, IDLE, LoadTest
from ernie_triton.perf.analyzer.output import AnalyzerFigures
from ernie_triton.perf.analyzer.watch import Watch
from ernie_triton.perf.results import RequestLoad
from ernie_triton.perf.running import stability
from ernie_triton.perf.running.checker import Checked
from ernie_triton.perf.running.scenario import Stability
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.options import ServerOptions
from ernie_triton.tasks import task_named

if TYPE_CHECKING:
    from ernie_triton.training.datasets import DataSet

MOST_TEXTS = 1024
_ROWS_OF_REQUEST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Rounds and durations of the report.

    Attributes:
        rounds: turns of every variant.
        seconds: of each figure.
        seed: decides which texts of the dev data are sent.
        is_quick: take no warm-up round, and mark the figures as unstable.
    """

    rounds: int = 5
    seconds: float = 6.0
    seed: int = 0
    is_quick: bool = False

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ScenarioError(f"rounds is {self.rounds}; expected at least 1")
        if not self.seconds > 0:
            raise ScenarioError(f"seconds is {self.seconds}; expected more than 0")


QUICK_REPORT = ReportOptions(rounds=1, seconds=0.6, is_quick=True)


@dataclass(slots=True)
class VariantFigures:
    """Figures of a variant, one a round.

    Attributes:
        qps: requests answered a second at concurrency 32.
        p50_ms: median latency at concurrency 1, in milliseconds.
        p99_ms: 99th percentile of latency at concurrency 1, in milliseconds.
        unstable: number of rounds by reason not to trust the figures.
    """

    qps: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    unstable: Counter[str] = field(default_factory=Counter)


def load_rows(data: "DataSet", seed: int) -> list[tuple[str, ...]]:
    """Draw at most `MOST_TEXTS` texts of the dev data, in a random order."""
    rows = [example.texts for example in data.dev]
    return random.Random(seed).sample(rows, min(MOST_TEXTS, len(rows)))


def served_metric(url: str, pipeline: str, data: "DataSet") -> Evaluation:
    """Take the task's metric of a server's answers to the dev data.

    Raises:
        DatasetError: an example is not answered.
        ClientError: the server is away.
    """
    endpoint = Endpoint(url=url, model=pipeline)
    transport = GrpcTransport(Connection(endpoint=endpoint))
    try:
        evaluator = Evaluator(transport, endpoint, data.task, _ROWS_OF_REQUEST)
        return evaluator.evaluate_file(data.dev_path)
    finally:
        transport.close()


def measure_variants(
    repository: Path,
    pipelines: Sequence[str],
    data: "DataSet",
    options: ReportOptions,
    progress: Callable[[str], None],
) -> tuple[Mapping[str, VariantFigures], Mapping[str, Evaluation]]:
    """Serve the pipelines together, and load one after the other.

    Args:
        repository: the repository of the pipelines.
        pipelines: names of the pipelines.
        data: its dev texts are sent, and its metric is taken.
        options: rounds and durations.
        progress: receives a line before each step.

    Returns:
        The figures, and the metric on the dev data, of each.

    Raises:
        ServerError: the server does not start.
        AnalyzerError: perf_analyzer failed.
        DatasetError: an example of the dev data is not answered.
    """
    inputs = tuple(one.name for one in task_named(data.task).text_inputs(pair=data.pair))
    rows = load_rows(data, options.seed)
    figures = {name: VariantFigures() for name in pipelines}
    server_options = ServerOptions(
        repository=repository,
        models=tuple(pipelines),
        grpc_port=0,
        metrics_port=0,
    )
    progress(f"starting a server with {len(pipelines)} pipelines")
    with EmbeddedServer(server_options) as server:
        metrics = {}
        for name in pipelines:
            progress(f"metric of {name} on {len(data.dev):,} examples")
            metrics[name] = served_metric(server.url, name, data)
        for number in range(options.is_quick, options.rounds + 1):
            words = f"round {number} of {options.rounds}" if number else "warm-up"
            for name in pipelines:
                progress(f"{words}: {name}")
                test = LoadTest(
                    url=server.url,
                    model=name,
                    inputs=inputs,
                    rows=rows,
                    seconds=options.seconds,
                )
                _take(test, server.pid, figures[name] if number else VariantFigures())
    if options.is_quick:
        for one in figures.values():
            one.unstable[stability.SHORTENED] += 1
    return figures, metrics


def _take(test: LoadTest, server_pid: int, figures: VariantFigures) -> None:
    """Measure one turn of a variant."""
    busy = _watched(test, BUSY, server_pid, figures.unstable)
    figures.qps.append(busy.rows_per_second)
    idle = _watched(test, IDLE, server_pid, figures.unstable)
    figures.p50_ms.append(idle.latency.p50_us / 1000)
    figures.p99_ms.append(idle.latency.p99_us / 1000)


def _watched(
    test: LoadTest, load: RequestLoad, server_pid: int, unstable: Counter[str]
) -> AnalyzerFigures:
    with Watch(test.url, server_pid) as watch:
        found = test.figures(load)
    limits = Stability()
    # Reasons without their numbers, so that two rounds may have the same one.
    kinds = {
        "windows": f"windows differed by more than {limits.variation_percent:g} %",
        "programs": f"other programs used more than {limits.other_cores:g} cores",
    }
    for kind, words in kinds.items():
        if any(
            kind in one for one in stability.reasons(limits, load, found, watch.sighting, Checked())
        ):
            unstable[f"at concurrency {load.level:.0f} {words}"] += 1
    return found
