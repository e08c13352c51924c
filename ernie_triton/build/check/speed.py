"""Measure an engine's speed on the sample texts, alone and against the FP32 engine."""

import os
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ernie_triton.batch import TokenBatch
from ernie_triton.engines import Engine, thread_count
from ernie_triton.processor import processor_name

_TIMING_S = 1.0
_TIMED_BATCH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Texts per second of the engine alone on the sample texts, on the machine of the build.

    `ratio_to_fp32` is the median over runs in turn with the FP32 engine; None where there was none.
    """

    texts_per_s: float
    batch: int
    mean_tokens: float
    threads: int
    processor: str
    ratio_to_fp32: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """The candidates' speed, texts per second by engine and rows of a batch.

    Attributes:
        speeds: of those that answer as the source does.
        refused: why others were left out, by engine.
    """

    speeds: Mapping[str, Mapping[int, float]]
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def fastest(self) -> str:
        """The engine with the best geometric mean of its speeds."""
        return max(self.speeds, key=lambda name: float(np.prod([*self.speeds[name].values()])))

    def sentence(self) -> str:
        """The speeds in words, the fastest engine first."""
        names = sorted(self.speeds, key=lambda name: name != self.fastest)
        rows = "/".join(map(str, self.speeds[self.fastest]))
        speeds = ", ".join(
            f"{name} {'/'.join(f'{speed:,.0f}' for speed in self.speeds[name].values())}"
            for name in names
        )
        left_out = "".join(f"; {name} left out: {why}" for name, why in self.refused.items())
        return f"{speeds} texts/s at {rows} rows{left_out}"


def measure_speed(
    engine: Engine, batch: TokenBatch, max_batch_size: int, fp32: Engine | None = None
) -> Speed:
    """Time the engine on the sample texts, repeated to full batches, for about a second.

    Args:
        engine: what to time.
        batch: the sample texts.
        max_batch_size: most rows of one run.
        fp32: takes its turn after each run, for the ratio, where there is one.
    """
    size = min(_TIMED_BATCH, max_batch_size)
    timed = batch.select(np.arange(size) % batch.rows)
    engines = [engine] if fp32 is None else [engine, fp32]
    runs = time_in_turn(engines, [timed])
    return Speed(
        texts_per_s=size * len(runs) / sum(run[0] for run in runs),
        batch=size,
        mean_tokens=float(timed.lengths.mean()),
        threads=thread_count(engine.settings),
        processor=named_processor(),
        ratio_to_fp32=statistics.median(run[1] / run[0] for run in runs) if fp32 else None,
    )


def time_in_turn(
    engines: Sequence[Engine], batches: Sequence[TokenBatch], share: float = 1.0
) -> list[tuple[float, ...]]:
    """Run batches on each engine in turn, for about a second an engine, or a share of that.

    Args:
        engines: what to time.
        batches: run one after the other, again and again; each once before anything counts.
        share: of a second.

    Returns:
        For each run the seconds of every engine.
    """
    for batch in batches:
        for engine in engines:
            engine.run(batch)
    runs: list[tuple[float, ...]] = []
    start = time.perf_counter()
    while not runs or time.perf_counter() - start < share * _TIMING_S * len(engines):
        batch = batches[len(runs) % len(batches)]
        runs.append(tuple(_run_s(engine, batch) for engine in engines))
    return runs


def named_processor() -> str:
    """The processor's name, or its architecture and cores."""
    return processor_name() or f"{platform.machine()} ({os.cpu_count()} cores)"


def _run_s(engine: Engine, batch: TokenBatch) -> float:
    start = time.perf_counter()
    engine.run(batch)
    return time.perf_counter() - start
