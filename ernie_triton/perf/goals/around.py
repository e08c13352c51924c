"""Measure the processor time of a request around its engine: of the server and of the stages.

The model is tiny, so that what its engine takes is little and can be subtracted exactly. With a
real engine the difference of two large figures would say nothing.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

from ernie_triton.client.statistics import StatisticsClient
from ernie_triton.engines import Engine
from ernie_triton.model_shapes import Shape
from ernie_triton.perf.analyzer.load_test import BUSY, LoadTest
from ernie_triton.perf.analyzer.texts import TITLES, rows_of_kind
from ernie_triton.perf.engines.engine_alone import cpu_us_of_text, load_pipeline_engine
from ernie_triton.perf.engines.model_cache import ModelCache
from ernie_triton.perf.engines.token_batches import title_batches
from ernie_triton.perf.floor.ceiling import measure_ceiling
from ernie_triton.perf.floor.repository import ONE_STAGE, THREE_STAGES, write_floor
from ernie_triton.perf.goals.models import ENSEMBLE
from ernie_triton.perf.paired import in_turn
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.options import ServerOptions
from ernie_triton.stage_names import PARTS

JOINED = "joined"
TINY = Shape(layers=1, hidden=48, heads=12, feed_forward=192)
_ENGINE = PARTS[1]


def around_models(cache: ModelCache, engine: str) -> dict[str, str]:
    """Build tiny pipelines on an engine, by form: `joined` and `ensemble`.

    Raises:
        CheckpointError: a build fails.
    """
    options = ("--engine", engine)
    return {
        JOINED: cache.pipeline("around_joined", TINY, *options, "--joined"),
        ENSEMBLE: cache.pipeline("around_ensemble", TINY, *options, "--no-joined"),
    }


def measure_around(
    models: Mapping[str, str],
    cache: ModelCache,
    *,
    rounds: int,
    seconds: float,
    progress: Callable[[str], None],
    warm_up: bool = True,
) -> dict[str, list[float]]:
    """CPU microseconds of a request at saturation, without the engine's own, in turn.

    Args:
        models: of `around_models`.
        cache: keeps them.
        rounds: turns of each figure.
        seconds: of each figure.
        progress: receives a line before each measurement.
        warm_up: take a round before that does not count.

    Returns:
        Figures by form, and those of stages that compute nothing by their model.

    Raises:
        ServerError: the server does not start.
        AnalyzerError: perf_analyzer failed.
    """
    write_floor(cache.repository)
    names = (*models.values(), ONE_STAGE, THREE_STAGES)
    options = ServerOptions(repository=cache.repository, models=names, grpc_port=0, metrics_port=0)
    with EmbeddedServer(options) as server:
        subjects = {}
        for form, model in models.items():
            engine = load_pipeline_engine(cache.repository, model)
            subjects[form] = partial(_around_us, server, _load(server, model, seconds), engine)
        for model in (ONE_STAGE, THREE_STAGES):
            subjects[model] = partial(_whole_us, server, _load(server, model, seconds))
        turns = rounds + warm_up
        found = in_turn(subjects, turns, lambda line: progress(f"around an engine: {line}"))
    return {name: figures[warm_up:] for name, figures in found.items()}


def _load(server: EmbeddedServer, model: str, seconds: float) -> LoadTest:
    rows = rows_of_kind(TITLES)
    return LoadTest(url=server.url, model=model, inputs=("text",), rows=rows, seconds=seconds)


def _whole_us(server: EmbeddedServer, test: LoadTest) -> float:
    """CPU of a request in the server and all its stages."""
    load = partial(test.figures, BUSY)
    found = measure_ceiling(server.url, server.pid, test.model, load)
    return sum(cost.cpu_us for cost in found.stages.values())


def _around_us(server: EmbeddedServer, test: LoadTest, engine: Engine) -> float:
    """The same, without what the engine takes for batches of the same sizes."""
    before = _batch_sizes(server.url, test.model)
    whole_us = _whole_us(server, test)
    sizes = _batch_sizes(server.url, test.model) - before
    batches = title_batches(sizes, vocabulary_size=engine.settings.vocabulary_size)
    return whole_us - cpu_us_of_text(engine, batches, test.seconds / 2)


def _batch_sizes(url: str, pipeline: str) -> Counter[int]:
    """Runs of a pipeline's engine by their rows."""
    with StatisticsClient(url, pipeline) as statistics:
        stages = statistics.stages()
    model = next((name for name in stages if name.endswith(f"_{_ENGINE}")), pipeline)
    with StatisticsClient(url, model) as statistics:
        return statistics.batch_sizes()
