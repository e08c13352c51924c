"""Run a built engine in this process: no server, no other stages, no network.

The engine and its settings are those of a pipeline's engine stage.
"""

import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ernie_triton.batch import TokenBatch
from ernie_triton.build.config.reading import pipeline_stage
from ernie_triton.engines import Engine, load_engine
from ernie_triton.errors import RepositoryError
from ernie_triton.model_shapes import Shape
from ernie_triton.settings import EngineSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFacts:
    """Model and engine of a pipeline, from its manifest; `size_bytes` is the engine's."""

    shape: Shape
    parameters: int
    engine: str
    precision: str
    size_bytes: int


def load_pipeline_engine(repository: Path, pipeline: str, version: int = 1) -> Engine:
    """Load the engine of a pipeline.

    Raises:
        RepositoryError: the pipeline is not in the repository.
        EngineError: its engine cannot be loaded on this machine.
    """
    model, parameters = pipeline_stage(repository, pipeline, "engine")
    settings = EngineSettings.from_parameters(parameters)
    return load_engine(model / str(version), settings)


def pipeline_facts(repository: Path, pipeline: str, version: int = 1) -> PipelineFacts:
    """Read a pipeline's manifest.

    Raises:
        RepositoryError: there is none, or it is not one of this version.
    """
    path = repository / pipeline / str(version) / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        model, engine = manifest["model"], manifest["engine"]
        return PipelineFacts(
            shape=Shape(
                layers=model["layers"],
                hidden=model["hidden"],
                heads=max(model["heads"]),
                feed_forward=max(model["feed_forward"]),
            ),
            parameters=model["parameters"],
            engine=engine["engine"],
            precision=engine["precision"],
            size_bytes=engine["size_bytes"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RepositoryError(f"{path} cannot be read as a manifest: {error!r}") from error


def cpu_us_of_text(engine: Engine, batches: Sequence[TokenBatch], seconds: float) -> float:
    """Run batches one after the other for some seconds; return the CPU microseconds of a text."""
    engine.run(batches[-1])  # wake the threads
    end = time.perf_counter() + seconds
    before = time.process_time()
    rows = 0
    for batch in itertools.cycle(batches):
        engine.run(batch)
        rows += batch.rows
        if time.perf_counter() >= end:
            break
    return 1e6 * (time.process_time() - before) / rows


def median_run_us(
    engine: Engine, batches: Sequence[TokenBatch], runs: int, *, pause_s: float = 0.0
) -> float:
    """Return the median time of a run, in microseconds, with a pause before each."""
    times = []
    for batch in itertools.islice(itertools.cycle(batches), runs):
        if pause_s:
            time.sleep(pause_s)
        start = time.perf_counter()
        engine.run(batch)
        times.append((time.perf_counter() - start) * 1e6)
    return float(np.median(times))
