"""The variants in one real server, loaded in turn, round after round.

Only the variant whose turn it is gets requests, and all take one turn a round, so that ratios are
of neighbours in time. The load is perf_analyzer's, as everywhere in `perf`.
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
from ernie_triton.perf.analyzer.load_test import LoadTest
from ernie_triton.perf.analyzer.output import AnalyzerFigures
from ernie_triton.perf.analyzer.watch import Watch
from ernie_triton.perf.results import CONCURRENCY, RequestLoad
from ernie_triton.perf.running import stability
from ernie_triton.perf.running.checker import Checked
from ernie_triton.perf.running.scenario import Stability
from ernie_triton.server.embedded import EmbeddedServer, ServerOptions
from ernie_triton.tasks import task_named

if TYPE_CHECKING:
    from ernie_triton.training.datasets import DataSet

BUSY = RequestLoad(mode=CONCURRENCY, level=32.0)
IDLE = RequestLoad(mode=CONCURRENCY, level=1.0)
MOST_TEXTS = 1024
_ROWS_OF_REQUEST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Measuring:
    """How long the report measures.

    Attributes:
        rounds: turns of every variant.
        seconds: of each figure.
        seed: decides which texts of the dev data are sent.
        is_quick: no turn before that is thrown away, and no figure to be trusted.
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


QUICK = Measuring(rounds=1, seconds=0.6, is_quick=True)


@dataclass(slots=True)
class Figures:
    """What was measured of a variant, a figure a round.

    Attributes:
        qps: requests answered a second, of 32 that are always under way.
        p50_ms: median latency of a request that is alone, in milliseconds.
        p99_ms: its 99th percentile.
        odd: why a round's figures should not be trusted, with how many rounds it concerns.
    """

    qps: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    odd: Counter[str] = field(default_factory=Counter)


def load_rows(data: "DataSet", seed: int) -> list[tuple[str, ...]]:
    """The texts to send: of the dev data, at most `MOST_TEXTS` of them, in a random order."""
    rows = [example.texts for example in data.dev]
    return random.Random(seed).sample(rows, min(MOST_TEXTS, len(rows)))


def served_metric(url: str, pipeline: str, data: "DataSet") -> Evaluation:
    """The task's metric of what a server answers to the dev data.

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


def measure_in_turn(
    repository: Path,
    pipelines: Sequence[str],
    data: "DataSet",
    measuring: Measuring,
    progress: Callable[[str], None],
) -> tuple[Mapping[str, Figures], Mapping[str, Evaluation]]:
    """Serve the pipelines together; load one after the other.

    Args:
        repository: where they are.
        pipelines: their names.
        data: whose dev texts are sent, and whose metric is taken.
        measuring: how long.
        progress: is told what is done next.

    Returns:
        The figures, and the metric on the dev data, of each.

    Raises:
        ServerError: the server does not start.
        AnalyzerError: perf_analyzer failed.
        DatasetError: an example of the dev data is not answered.
    """
    inputs = tuple(one.name for one in task_named(data.task).text_inputs(pair=data.pair))
    rows = load_rows(data, measuring.seed)
    figures = {name: Figures() for name in pipelines}
    options = ServerOptions(
        repository=repository,
        models=tuple(pipelines),
        http_port=0,
        grpc_port=0,
        metrics_port=0,
    )
    progress(f"starting a server with {len(pipelines)} pipelines")
    with EmbeddedServer(options) as server:
        metrics = {}
        for name in pipelines:
            progress(f"metric of {name} on {len(data.dev):,} examples")
            metrics[name] = served_metric(server.url, name, data)
        for number in range(measuring.is_quick, measuring.rounds + 1):
            words = f"round {number} of {measuring.rounds}" if number else "warm-up"
            for name in pipelines:
                progress(f"{words}: {name}")
                probe = LoadTest(
                    url=server.url,
                    model=name,
                    inputs=inputs,
                    rows=rows,
                    seconds=measuring.seconds,
                )
                _take(probe, server.pid, figures[name] if number else Figures())
    if measuring.is_quick:
        for one in figures.values():
            one.odd[stability.SHORTENED] += 1
    return figures, metrics


def _take(probe: LoadTest, server_pid: int, figures: Figures) -> None:
    """One turn of a variant."""
    busy = _watched(probe, BUSY, server_pid, figures.odd)
    figures.qps.append(busy.rows_per_second)
    idle = _watched(probe, IDLE, server_pid, figures.odd)
    figures.p50_ms.append(idle.latency.p50_us / 1000)
    figures.p99_ms.append(idle.latency.p99_us / 1000)


def _watched(
    probe: LoadTest, load: RequestLoad, server_pid: int, odd: Counter[str]
) -> AnalyzerFigures:
    with Watch(probe.url, server_pid) as watch:
        found = probe.figures(load)
    limits = Stability()
    # What a figure is of, and not its number: the same reason in two rounds is one.
    kinds = {
        "windows": f"windows differed by more than {limits.variation_percent:g} %",
        "programs": f"other programs used more than {limits.other_cores:g} cores",
    }
    for kind, words in kinds.items():
        if any(
            kind in one for one in stability.reasons(limits, load, found, watch.sighting, Checked())
        ):
            odd[f"at concurrency {load.level:.0f} {words}"] += 1
    return found
