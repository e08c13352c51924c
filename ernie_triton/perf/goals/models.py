"""Build the models of one shape: the baseline, and the pipelines beside it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ernie_triton.model_shapes import Shape
from ernie_triton.perf.engines.engine_alone import pipeline_facts
from ernie_triton.perf.engines.model_cache import ModelCache
from ernie_triton.perf.served_builds import PRECISION_OPTIONS
from ernie_triton.tasks import CPU_ENGINES

FULL_PRECISION, ENSEMBLE = "fp32", "ensemble"
REDUCED_PRECISIONS = ("int8", "bf16")
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    FULL_PRECISION: (),
    **{precision: PRECISION_OPTIONS[precision] for precision in REDUCED_PRECISIONS},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeModels:
    """The models of one shape in a repository.

    Attributes:
        baseline: the baseline.
        joined: pipelines as `build` makes them by default, by precision; FP32 is there always.
        ensemble: the FP32 pipeline of the same engine as an ensemble.
        engine: the runtime that the build chose for FP32.
        others: FP32 pipelines of the engines that the build did not choose, by engine.
    """

    baseline: str
    joined: Mapping[str, str]
    ensemble: str
    engine: str
    others: Mapping[str, str]

    @property
    def served(self) -> Mapping[str, str]:
        """Pipelines under load, by precision or `ensemble`."""
        return {**self.joined, ENSEMBLE: self.ensemble}


def build_models(
    name: str, shape: Shape, cache: ModelCache, reduced: Collection[str]
) -> ShapeModels:
    """Build what the cache does not hold.

    Args:
        name: of the shape.
        shape: of the models.
        cache: keeps the models.
        reduced: those of the `REDUCED_PRECISIONS` that the processor has.

    Raises:
        CheckpointError: a build fails.
    """
    baseline = cache.baseline(f"{name}_baseline", shape)
    joined = {
        precision: cache.pipeline(f"{name}_{precision}", shape, *options)
        for precision, options in _OPTIONS.items()
        if precision == FULL_PRECISION or precision in reduced
    }
    chosen = pipeline_facts(cache.repository, joined[FULL_PRECISION]).engine
    ensemble = cache.pipeline(f"{name}_ensemble", shape, "--engine", chosen, "--no-joined")
    others = {
        engine: cache.pipeline(f"{name}_{engine}", shape, "--engine", engine)
        for engine in CPU_ENGINES
        if engine != chosen
    }
    return ShapeModels(
        baseline=baseline, joined=joined, ensemble=ensemble, engine=chosen, others=others
    )
