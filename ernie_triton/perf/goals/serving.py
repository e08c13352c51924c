"""Measure one shape of the family: its pipelines, the baseline, and the engines alone, in turn.

All models are in one server, and only one of them gets requests at a time. Every figure is taken
once a round, so ratios compare figures that are close in time.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ernie_triton.build.config.reading import pipeline_stage
from ernie_triton.model_shapes import Shape
from ernie_triton.perf.analyzer.load_test import BUSY, IDLE, LoadTest
from ernie_triton.perf.analyzer.texts import LONG, TITLES, rows_of_kind, rows_of_kinds
from ernie_triton.perf.analyzer.watch import Watch
from ernie_triton.perf.engines.engine_alone import PipelineFacts, pipeline_facts
from ernie_triton.perf.engines.model_cache import ModelCache
from ernie_triton.perf.engines.token_batches import title_lengths
from ernie_triton.perf.goals.alone import CHOSEN, EnginesAlone, figure_name
from ernie_triton.perf.goals.models import FULL_PRECISION, ShapeModels
from ernie_triton.perf.limits.arithmetic import mean_text_flops
from ernie_triton.perf.paired import Figures
from ernie_triton.perf.results import REQUEST_RATE, RequestLoad
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.options import ServerOptions

OF_MAXIMUM = 0.7
LONG_SHARE = 0.05
FULL_BATCH = 32
_BACKGROUND_FACTOR = 1.5
"""Background load is longer: it starts before the first window and ends after the last."""
_WARM_UP_SHARE = 0.3
_TEXTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeFigures:
    """Figures of one shape, and facts of its engines by precision or `ensemble`.

    Names of figures are such as `baseline qps`, `fp32 qps`, `ensemble memory`, `added ms`; without
    a kind of pipeline they are of the joined FP32 pipeline.
    """

    figures: Figures
    facts: Mapping[str, PipelineFacts]


@dataclass(slots=True)
class _Turns:
    """The server, the engines alone, and the figures so far; `round` measures one round."""

    server: EmbeddedServer
    cache: ModelCache
    models: ShapeModels
    shape: Shape
    engines: EnginesAlone
    seconds: float
    progress: Callable[[str], None]
    figures: dict[str, list[float]] = field(default_factory=dict)

    def warm_up(self) -> None:
        """Load every model once, and count nothing."""
        for model in (self.models.baseline, *self.models.served.values()):
            test = dataclasses.replace(self._test(model), seconds=_WARM_UP_SHARE * self.seconds)
            test.figures(BUSY)

    def round(self, name: str) -> None:
        """Take every figure once."""
        self._say(name, "baseline, concurrency 32")
        self._keep("baseline qps", self._test(self.models.baseline).figures(BUSY).rows_per_second)
        for kind, pipeline in self.models.served.items():
            self._say(name, f"{kind}, concurrency 32")
            self._busy(kind, pipeline)
        self._say(name, "the engines alone")
        self._alone()
        test = self._test(self.models.joined[FULL_PRECISION])
        self._say(name, "concurrency 1, and the engine after the same pauses")
        self._keep("added ms", self._added_ms(test))
        rate = OF_MAXIMUM * self._last_qps
        self._say(name, f"{rate:.0f} requests a second")
        latency = test.figures(RequestLoad(mode=REQUEST_RATE, level=rate)).latency
        self._keep("tail", latency.p99_us / latency.p50_us)
        self._say(name, "short texts alone and beside long ones")
        self._keep("mixed", self._mixed_load_ratio(test))

    def _busy(self, kind: str, pipeline: str) -> None:
        model = pipeline_stage(self.cache.repository, pipeline, "engine")[0].name
        with Watch(self.server.url, self.server.pid) as watch:
            found = self._test(pipeline).figures(BUSY)
        self._keep(f"{kind} qps", found.rows_per_second)
        memory = watch.sighting.stage_memory_bytes.get(model)
        if memory:
            self._keep(f"{kind} memory", float(memory))

    def _alone(self) -> None:
        """Time the engines, and compare the FP32 one, alone and served, with the products."""
        for name, figure in self.engines.texts_per_s(self.seconds).items():
            self._keep(name, figure)
        peak, labels = self.engines.peak(), self.cache.labels
        alone = self.figures[figure_name(CHOSEN, FULL_BATCH)][-1]
        self._keep("peak alone", alone * self.engines.flops_of(FULL_BATCH) / peak)
        flops = mean_text_flops(self.shape, title_lengths(_TEXTS, seed=0), labels=labels)
        self._keep("peak served", self._last_qps * flops / peak)

    def _added_ms(self, test: LoadTest) -> float:
        """Latency above the engine's own time, which is taken with the pauses between requests."""
        served_ms = test.figures(IDLE).latency.p50_us / 1000
        engine_ms = 1000 / self.figures[figure_name(CHOSEN, 1)][-1]
        return served_ms - self.engines.solo_ms(max(served_ms - engine_ms, 0.0), self.seconds)

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
        url, rows = self.server.url, rows_of_kind(TITLES)
        return LoadTest(url=url, model=model, inputs=("text",), rows=rows, seconds=self.seconds)

    @property
    def _last_qps(self) -> float:
        return self.figures[f"{FULL_PRECISION} qps"][-1]

    def _keep(self, name: str, figure: float) -> None:
        self.figures.setdefault(name, []).append(figure)

    def _say(self, name: str, what: str) -> None:
        self.progress(f"{name}: {what}")


def measure_shape(
    name: str,
    shape: Shape,
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
        shape: of the models.
        models: in the cache's repository.
        cache: keeps the models.
        rounds: turns of every figure.
        seconds: of each figure.
        progress: receives a line before each measurement.
        warm_up: load every model before.

    Raises:
        ServerError: the server does not start.
        AnalyzerError: perf_analyzer failed.
    """
    engines = EnginesAlone(cache.repository, models, shape, cache.labels)
    with _served(models, cache) as server:
        turns = _Turns(
            server=server,
            cache=cache,
            models=models,
            shape=shape,
            engines=engines,
            seconds=seconds,
            progress=progress,
        )
        if warm_up:
            progress(f"{name}: warming up")
            turns.warm_up()
        for number in range(1, rounds + 1):
            turns.round(f"{name}, round {number} of {rounds}")
    facts = {
        kind: pipeline_facts(cache.repository, pipeline) for kind, pipeline in models.served.items()
    }
    return ShapeFigures(figures=turns.figures, facts=facts)


@contextmanager
def _served(models: ShapeModels, cache: ModelCache) -> Iterator[EmbeddedServer]:
    names = (models.baseline, *models.served.values())
    options = ServerOptions(repository=cache.repository, models=names, grpc_port=0, metrics_port=0)
    with EmbeddedServer(options) as server:
        yield server
