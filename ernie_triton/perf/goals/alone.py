"""Time the engines of one shape in this process, in turn, and the products of its matrices."""

import os
from collections.abc import Mapping
from pathlib import Path

from ernie_triton.batch import TokenBatch
from ernie_triton.engines import Engine
from ernie_triton.model_shapes import Shape
from ernie_triton.perf.engines.engine_alone import load_pipeline_engine, median_run_us
from ernie_triton.perf.engines.token_batches import title_batches
from ernie_triton.perf.goals.models import FULL_PRECISION, ShapeModels
from ernie_triton.perf.limits.arithmetic import mean_text_flops
from ernie_triton.perf.limits.fractions import PeakOptions, measure_peaks, mixed_peak

CHOSEN = "chosen"
"""The FP32 engine that the build chose; the others go by their engine or precision."""
TIMED_ROWS = (1, 8, 32)
_TIMED_BATCHES = 16
_FEWEST_BATCHES = 2
_PEAK_TOKENS = 768


class EnginesAlone:
    """The engines of a shape's pipelines: that which the build chose, and all others."""

    def __init__(self, repository: Path, models: ShapeModels, shape: Shape, labels: int) -> None:
        """Load them.

        Args:
            repository: of the pipelines.
            models: their names.
            shape: of the models.
            labels: of the models.

        Raises:
            EngineError: an engine cannot be loaded on this machine.
        """
        reduced = {kind: name for kind, name in models.joined.items() if kind != FULL_PRECISION}
        pipelines = {CHOSEN: models.joined[FULL_PRECISION], **models.others, **reduced}
        self._engines = {
            kind: load_pipeline_engine(repository, name) for kind, name in pipelines.items()
        }
        self._shape = shape
        self._labels = labels
        self._batches = {rows: self._title_batches(rows) for rows in TIMED_ROWS}

    @property
    def chosen(self) -> Engine:
        """The FP32 engine that the build chose."""
        return self._engines[CHOSEN]

    def texts_per_s(self, seconds: float) -> dict[str, float]:
        """Texts a second of each engine by `figure_name`, for some seconds for each count of rows.

        An engine runs for its whole share at once: threads of another one may still be awake
        right after its run, and would slow the next.
        """
        share_us = 1e6 * seconds / len(self._engines)
        figures = {}
        for rows, batches in self._batches.items():
            for kind, engine in self._engines.items():
                first_us = median_run_us(engine, batches, len(batches))
                runs = max(len(batches), int(share_us / first_us))
                figures[figure_name(kind, rows)] = 1e6 * rows / median_run_us(engine, batches, runs)
        return figures

    def solo_ms(self, pause_ms: float, seconds: float) -> float:
        """Median milliseconds of a run of one title on the chosen engine, after a pause each."""
        one = self._batches[1]
        tight_us = median_run_us(self.chosen, one, len(one))
        runs = max(len(one), int(1e3 * seconds / (pause_ms + tight_us / 1e3)))
        return median_run_us(self.chosen, one, runs, pause_s=pause_ms / 1e3) / 1e3

    def peak(self) -> float:
        """Operations a second of the shape's products in FP32, in their mix."""
        options = PeakOptions(tokens=_PEAK_TOKENS, threads=len(os.sched_getaffinity(0)), rounds=1)
        peaks = measure_peaks({CHOSEN: self._shape}, [FULL_PRECISION], options, lambda _: None)
        found = mixed_peak(peaks, self._shape, CHOSEN, FULL_PRECISION)
        if found is None:
            raise ValueError("the peak of the shape was not measured")
        return found

    def flops_of(self, rows: int) -> float:
        """Mean operations of a text in the batches of so many rows."""
        lengths = [length for batch in self._batches[rows] for length in batch.lengths.tolist()]
        return mean_text_flops(self._shape, lengths, labels=self._labels)

    def _title_batches(self, rows: int) -> list[TokenBatch]:
        size = self.chosen.settings.vocabulary_size
        made = title_batches({rows: 1}, vocabulary_size=size)
        return made[: max(_TIMED_BATCHES // rows, _FEWEST_BATCHES)]


def figure_name(kind: str, rows: int) -> str:
    """Name of an engine's figure."""
    return f"{kind} alone, {rows} rows"


def engines_of(figures: Mapping[str, object]) -> list[str]:
    """The engines beside the chosen one that have figures."""
    suffix = figure_name("", TIMED_ROWS[0])
    kinds = [name.removesuffix(suffix) for name in figures if name.endswith(suffix)]
    return [kind for kind in kinds if kind != CHOSEN]
