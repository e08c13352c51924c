"""Measure one shape of the family: its pipelines, the baseline, and the engine alone, in turn.

All models are in one server, and only one of them gets requests at a time. Every figure is taken
once a round, so ratios compare figures that are close in time.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ernie_triton.build.config.reading import pipeline_stage
from ernie_triton.client.statistics import StatisticsClient
from ernie_triton.engines import Engine
from ernie_triton.model_shapes import Shape
from ernie_triton.perf.analyzer.load_test import BUSY, IDLE, LoadTest
from ernie_triton.perf.analyzer.texts import LONG, TITLES, rows_of_kind, rows_of_kinds
from ernie_triton.perf.analyzer.watch import Watch
from ernie_triton.perf.engines.engine_alone import (
    PipelineFacts,
    load_pipeline_engine,
    median_run_us,
    pipeline_facts,
    texts_per_s,
)
from ernie_triton.perf.engines.model_cache import ModelCache
from ernie_triton.perf.engines.token_batches import title_batches
from ernie_triton.perf.floor.repository import THREE_STAGES, write_floor
from ernie_triton.perf.paired import Figures
from ernie_triton.perf.results import REQUEST_RATE, RequestLoad
from ernie_triton.server.embedded import EmbeddedServer, ServerOptions

OF_MAXIMUM = 0.7
LONG_SHARE = 0.05
_BACKGROUND_FACTOR = 1.5
"""Background load is longer: it starts before the first window and ends after the last."""
_RUNS_ALONE = 200

JOINED = "joined"
PRECISIONS_OF_GOALS = ("int8", "bf16")
IN_INT8 = ("int8", JOINED)
"""The kinds of pipelines that run the INT8 engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeModels:
    """The models of one shape in a repository.

    Attributes:
        baseline: the baseline.
        joined: the INT8 pipeline in one process.
        pipelines: pipelines by precision.
    """

    baseline: str
    joined: str
    pipelines: Mapping[str, str]

    @property
    def served(self) -> Mapping[str, str]:
        """Pipelines by kind: a precision, or `joined`."""
        return {**self.pipelines, JOINED: self.joined}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeFigures:
    """Figures of one shape, and facts of its engines by precision.

    Names of figures are such as `baseline qps`, `int8 qps`, `joined qps`, `int8 added ms`.
    """

    figures: Figures
    facts: Mapping[str, PipelineFacts]


@dataclass(slots=True)
class _Turns:
    """The server, the engine alone, and the figures so far; `round` measures one round.

    `floor_ms` is the time that the second of the floor's three stages keeps a core busy.
    """

    url: str
    pid: int
    repository: Path
    models: ShapeModels
    engine: Engine
    floor_ms: float
    seconds: float
    progress: Callable[[str], None]
    figures: dict[str, list[float]] = field(default_factory=dict)

    def round(self, name: str) -> None:
        """Take every figure once."""
        self._say(name, "baseline, concurrency 32")
        self._keep("baseline qps", self._test(self.models.baseline).figures(BUSY).rows_per_second)
        for kind, pipeline in self.models.served.items():
            self._say(name, f"{kind}, concurrency 32")
            self._busy(kind, pipeline)
        tests = {kind: self._test(self.models.served[kind]) for kind in IN_INT8}
        self._say(name, "concurrency 1, the engine alone, and stages that compute nothing")
        alone_ms = _solo_ms(self.engine)
        for kind, test in tests.items():
            self._keep(f"{kind} added ms", test.figures(IDLE).latency.p50_us / 1000 - alone_ms)
        floor_ms = self._test(THREE_STAGES).figures(IDLE).latency.p50_us / 1000
        self._keep("floor added ms", floor_ms - self.floor_ms)
        for kind, test in tests.items():
            rate = OF_MAXIMUM * self.figures[f"{kind} qps"][-1]
            self._say(name, f"{kind}, {rate:.0f} requests a second")
            latency = test.figures(RequestLoad(mode=REQUEST_RATE, level=rate)).latency
            self._keep(f"{kind} tail", latency.p99_us / latency.p50_us)
            self._say(name, f"{kind}, short texts alone and beside long ones")
            self._keep(f"{kind} mixed", self._mixed_load_ratio(test))

    def forget(self) -> None:
        """Drop the figures of the warm-up."""
        self.figures.clear()

    def _busy(self, kind: str, pipeline: str) -> None:
        model = pipeline_stage(self.repository, pipeline, "engine")[0].name
        before = self._batch_sizes(model)
        with Watch(self.url, self.pid) as watch:
            found = self._test(pipeline).figures(BUSY)
        self._keep(f"{kind} qps", found.rows_per_second)
        memory = watch.sighting.stage_memory_bytes.get(model)
        if memory:
            self._keep(f"{kind} memory", float(memory))
        if kind in IN_INT8:
            sizes = self._batch_sizes(model) - before
            batches = title_batches(sizes, vocabulary_size=self._vocabulary)
            self._keep(f"{kind} alone", texts_per_s(self.engine, batches, self.seconds))
            self._keep(f"{kind} batch", _mean_rows(sizes))

    def _batch_sizes(self, model: str) -> Counter[int]:
        with StatisticsClient(self.url, model) as statistics:
            return statistics.batch_sizes()

    def _mixed_load_ratio(self, short: LoadTest) -> float:
        """Divide the p99 of short texts beside long ones by their p99 alone.

        Both run at a share of the mixture's highest rate, with the same rate of short texts.
        """
        mixed = dataclasses.replace(short, rows=rows_of_kinds((TITLES, LONG), LONG_SHARE))
        rate = OF_MAXIMUM * mixed.figures(BUSY).rows_per_second
        load = RequestLoad(mode=REQUEST_RATE, level=rate * (1 - LONG_SHARE))
        alone = short.figures(load).latency.p99_us
        long = dataclasses.replace(
            short, rows=rows_of_kind(LONG), seconds=_BACKGROUND_FACTOR * self.seconds
        )
        with long.background(RequestLoad(mode=REQUEST_RATE, level=max(rate * LONG_SHARE, 1.0))):
            together = short.figures(load).latency.p99_us
        return together / alone

    def _test(self, model: str) -> LoadTest:
        rows = rows_of_kind(TITLES)
        return LoadTest(
            url=self.url, model=model, inputs=("text",), rows=rows, seconds=self.seconds
        )

    @property
    def _vocabulary(self) -> int:
        return self.engine.settings.vocabulary_size

    def _keep(self, name: str, figure: float) -> None:
        self.figures.setdefault(name, []).append(figure)

    def _say(self, name: str, what: str) -> None:
        self.progress(f"{name}: {what}")


def build_models(
    name: str, shape: Shape, cache: ModelCache, precisions: Collection[str]
) -> ShapeModels:
    """Build the baseline and the pipelines of a shape, where the cache does not hold them.

    Random weights decide by little, so the builds accept losses that a trained model's would not.

    Args:
        name: of the shape.
        shape: of the models.
        cache: keeps the models.
        precisions: of the processor; BF16 is built where it is among them.

    Raises:
        CheckpointError: a build fails.
    """
    bf16 = ("--precision", "bf16", "--tolerance", "0.5")
    int8 = ("--precision", "int8", "--allowed-changes", "1")
    return ShapeModels(
        baseline=cache.baseline(f"{name}_baseline", shape),
        joined=cache.pipeline(f"{name}_joined", shape, *int8, "--joined"),
        pipelines={
            precision: cache.pipeline(f"{name}_{precision}", shape, *options, "--no-joined")
            for precision, options in {"int8": int8, "bf16": bf16}.items()
            if precision in precisions
        },
    )


def measure_shape(
    name: str,
    models: ShapeModels,
    cache: ModelCache,
    *,
    rounds: int,
    seconds: float,
    progress: Callable[[str], None],
    warm_up: bool = True,
) -> ShapeFigures:
    """Serve the models of a shape and take every figure once a round.

    Args:
        name: of the shape, for the progress.
        models: in the cache's repository.
        cache: keeps the models.
        rounds: turns of every figure.
        seconds: of each figure.
        progress: receives a line before each measurement.
        warm_up: take a round before that does not count.

    Raises:
        ServerError: the server does not start.
        AnalyzerError: perf_analyzer failed.
    """
    engine = load_pipeline_engine(cache.repository, models.pipelines["int8"])
    floor_ms = _solo_ms(engine)
    write_floor(cache.repository, pause_us=1000 * floor_ms)
    with _served(models, cache) as server:
        turns = _Turns(
            url=server.url,
            pid=server.pid,
            repository=cache.repository,
            models=models,
            engine=engine,
            floor_ms=floor_ms,
            seconds=seconds,
            progress=progress,
        )
        if warm_up:
            turns.round(f"{name}, warm-up")
            turns.forget()
        for number in range(1, rounds + 1):
            turns.round(f"{name}, round {number} of {rounds}")
    facts = {
        precision: pipeline_facts(cache.repository, pipeline)
        for precision, pipeline in models.pipelines.items()
    }
    return ShapeFigures(figures=turns.figures, facts=facts)


@contextmanager
def _served(models: ShapeModels, cache: ModelCache) -> Iterator[EmbeddedServer]:
    names = (models.baseline, *models.served.values(), THREE_STAGES)
    options = ServerOptions(repository=cache.repository, models=names, grpc_port=0, metrics_port=0)
    with EmbeddedServer(options) as server:
        yield server


def _solo_ms(engine: Engine) -> float:
    """Return the median time of a run with one title, in milliseconds, without pauses."""
    batches = title_batches({1: 1}, vocabulary_size=engine.settings.vocabulary_size)
    return median_run_us(engine, batches, _RUNS_ALONE) / 1000


def _mean_rows(sizes: Counter[int]) -> float:
    return sum(rows * count for rows, count in sizes.items()) / sizes.total()
