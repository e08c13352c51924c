"""Measure every point in turn, and fit the costs over all of them."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ernie_triton.engines import Engine
from ernie_triton.perf.engines.engine_alone import load_pipeline_engine
from ernie_triton.perf.engines.model_cache import ModelCache
from ernie_triton.perf.engines.token_batches import token_batch
from ernie_triton.perf.paired import Spread, in_turn, spread
from ernie_triton.perf.scaling.fit import Costs, fit_costs
from ernie_triton.perf.scaling.sweeps import Plan, Point, Sweep

_FEWEST_RUNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPoint:
    """One point of a sweep: its value, and the seconds of a run over the rounds."""

    value: int
    point: Point
    seconds: Spread

    @property
    def texts_per_s(self) -> float:
        """Texts per second of the median run."""
        return self.point.rows / self.seconds.median


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """All sweeps, and the costs fitted over them."""

    precision: str
    sweeps: Sequence[tuple[Sweep, Sequence[MeasuredPoint]]]
    costs: Costs
    facts: Mapping[str, object] = field(default_factory=dict)


def measure_scaling(
    plan: Plan,
    cache: ModelCache,
    *,
    precision: str,
    rounds: int,
    seconds: float,
    progress: Callable[[str], None],
) -> Scaling:
    """Build the models, run every point once a round, and fit.

    Args:
        plan: the sizes to vary.
        cache: keeps the models.
        precision: of the engines.
        rounds: turns of each point.
        seconds: of each turn.
        progress: receives a line before each step.

    Raises:
        CheckpointError: a model cannot be built.
    """
    sweeps = list(plan.sweeps())
    points = list(dict.fromkeys(point for sweep in sweeps for point in sweep.points.values()))
    engines: dict[object, Engine] = {}
    for shape in dict.fromkeys(point.shape for point in points):
        progress(f"building {shape.layers} layers x {shape.hidden}, {precision}")
        name = f"scaling_{shape.layers}x{shape.hidden}_{plan.longest}_{precision}"
        options = ("--precision", precision, "--max-length", str(plan.longest))
        cache.pipeline(name, shape, *options, *_accepting(precision))
        engines[shape] = load_pipeline_engine(cache.repository, name)
    subjects = {_words(point): _runner(engines[point.shape], point, seconds) for point in points}
    figures = in_turn(subjects, rounds, progress)
    measured = [
        (
            sweep,
            [
                MeasuredPoint(value=value, point=point, seconds=spread(figures[_words(point)]))
                for value, point in sweep.points.items()
            ],
        )
        for sweep in sweeps
    ]
    times = [spread(figures[_words(point)]).median for point in points]
    return Scaling(precision=precision, sweeps=measured, costs=fit_costs(points, times))


def _accepting(precision: str) -> tuple[str, ...]:
    """Return build options that accept the losses of random weights, which decide by little."""
    return {"bf16": ("--tolerance", "0.5")}.get(precision, ())


def _runner(engine: Engine, point: Point, seconds: float) -> Callable[[], float]:
    batch = token_batch(
        [point.tokens] * point.rows, vocabulary_size=engine.settings.vocabulary_size, seed=0
    )
    engine.run(batch)

    def seconds_of_a_run() -> float:
        start = time.perf_counter()
        times: list[float] = []
        while len(times) < _FEWEST_RUNS or time.perf_counter() - start < seconds:
            before = time.perf_counter()
            engine.run(batch)
            times.append(time.perf_counter() - before)
        return statistics.median(times)

    return seconds_of_a_run


def _words(point: Point) -> str:
    shape = point.shape
    return f"{shape.layers} layers x {shape.hidden}, {point.rows} texts of {point.tokens} tokens"
