"""Hold the four tuned values, and make the grid of their candidates."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ernie_triton.pipeline import Batching, PipelineSpec

_BATCHES = (8, 16, 32, 64, 128, 256)
_DELAYS_US = (0, 300, 1000)
_MOST_INSTANCES = 8
"""Each instance is a process with weights of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Values of a pipeline that change its speed and never its answers.

    The names, defaults and meanings are those of `PipelineSpec` and its `Batching`.
    """

    threads: int = 0
    instances: int = 1
    max_batch_size: int = 64
    max_queue_delay_us: int = Batching().max_queue_delay_us

    def __str__(self) -> str:
        return (
            f"threads {self.threads}, instances {self.instances}, max_batch_size "
            f"{self.max_batch_size}, max_queue_delay_us {self.max_queue_delay_us}"
        )

    def applied_to(self, spec: PipelineSpec) -> PipelineSpec:
        """Return the pipeline with these values."""
        batching = dataclasses.replace(
            spec.batching,
            max_batch_size=self.max_batch_size,
            max_queue_delay_us=self.max_queue_delay_us,
        )
        return dataclasses.replace(
            spec, threads=self.threads, instances=self.instances, batching=batching
        )


DEFAULTS = Setting()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Conditions that decide the candidates.

    Attributes:
        cores: number of cores of the server.
        concurrency: requests under way.
        rows: rows of a request; smaller batches would refuse it.
        budget_ms: largest accepted latency; None for any.
    """

    cores: int
    concurrency: int
    rows: int = 1
    budget_ms: float | None = None


Change = Mapping[str, int]
"""Some of a setting's fields with other values."""


def setting_of(spec: PipelineSpec) -> Setting:
    """Return a pipeline's own values."""
    return Setting(
        threads=spec.threads,
        instances=spec.instances,
        max_batch_size=spec.batching.max_batch_size,
        max_queue_delay_us=spec.batching.max_queue_delay_us,
    )


def axes(given: Setting, conditions: Conditions) -> list[list[Change]]:
    """Make the candidates' grid, axis by axis: cores, batch, delay.

    Values without an effect are left out: batches above the rows under way, and delays above the
    budget.
    """
    most_rows = conditions.concurrency * conditions.rows
    batches = [size for size in _BATCHES if conditions.rows <= size < most_rows]
    batches.append(given.max_batch_size)
    if given.max_batch_size < most_rows:
        batches.append(next((size for size in _BATCHES if size >= most_rows), _BATCHES[-1]))
    budget_us = 1000 * (conditions.budget_ms or float("inf"))
    delays = sorted({DEFAULTS.max_queue_delay_us, given.max_queue_delay_us, *_DELAYS_US})
    return [
        _shares_of_cores(conditions.cores),
        [{"max_batch_size": size} for size in sorted(set(batches), reverse=True)],
        [{"max_queue_delay_us": delay} for delay in delays if delay < budget_us],
    ]


def is_same(one: Setting, other: Setting, cores: int) -> bool:
    """Tell whether two settings serve alike: 0 threads are all cores."""
    return dataclasses.replace(one, threads=one.threads or cores) == dataclasses.replace(
        other, threads=other.threads or cores
    )


def _shares_of_cores(cores: int) -> list[Change]:
    """Give one instance every core, several instances a share, or leave a core to other stages."""
    pairs = [(1, 0)]
    instances = 2
    while instances <= min(max(cores, 2), _MOST_INSTANCES):
        pairs.append((instances, max(1, cores // instances)))
        instances *= 2
    if cores > 1:
        pairs.append((1, cores - 1))
    return [{"instances": count, "threads": threads} for count, threads in pairs]


def one_other(grid: Sequence[Sequence[Change]], start: Setting) -> list[list[Change]]:
    """Make a grid of one candidate: the first that differs from the start."""
    changes = (change for axis in grid for change in axis)
    return [[change for change in changes if dataclasses.replace(start, **change) != start][:1]]
