"""Hold the tuned values, and make the grid of their candidates."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ernie_triton.pipeline import Batching, PipelineSpec

_BATCHES = (8, 16, 32, 64, 128, 256)
_DELAYS_US = (0, 300, 1000)
MOST_INSTANCES = 8
"""Each instance is a process with weights of its own."""


_OF_STAGES = ("tokenizer_instances", "postprocess_instances")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Values of a pipeline that change its speed and never its answers.

    The names, defaults and meanings are those of `PipelineSpec` and its `Batching`.
    """

    threads: int = 0
    instances: int = 1
    max_batch_size: int = 64
    max_queue_delay_us: int = Batching().max_queue_delay_us
    tokenizer_instances: int = 0
    postprocess_instances: int = 0

    def __str__(self) -> str:
        words = (
            f"threads {self.threads}, instances {self.instances}, max_batch_size "
            f"{self.max_batch_size}, max_queue_delay_us {self.max_queue_delay_us}"
        )
        stages = {name: getattr(self, name) for name in _OF_STAGES}
        return ", ".join([words, *(f"{name} {count}" for name, count in stages.items() if count)])

    def applied_to(self, spec: PipelineSpec) -> PipelineSpec:
        """Return the pipeline with these values."""
        batching = dataclasses.replace(
            spec.batching,
            max_batch_size=self.max_batch_size,
            max_queue_delay_us=self.max_queue_delay_us,
        )
        return dataclasses.replace(
            spec,
            threads=self.threads,
            instances=self.instances,
            tokenizer_instances=self.tokenizer_instances,
            postprocess_instances=self.postprocess_instances,
            batching=batching,
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
        has_stages: the Python stages around the engine may be several processes.
        is_on_gpu: the engine is, where threads change nothing.
        most_instances: of the engine.
    """

    cores: int
    concurrency: int
    rows: int = 1
    budget_ms: float | None = None
    has_stages: bool = False
    is_on_gpu: bool = False
    most_instances: int = MOST_INSTANCES


Change = Mapping[str, int]
"""Some of a setting's fields with other values."""


def setting_of(spec: PipelineSpec) -> Setting:
    """Return a pipeline's own values."""
    return Setting(
        threads=spec.threads,
        instances=spec.instances,
        max_batch_size=spec.batching.max_batch_size,
        max_queue_delay_us=spec.batching.max_queue_delay_us,
        tokenizer_instances=spec.tokenizer_instances,
        postprocess_instances=spec.postprocess_instances,
    )


def axes(given: Setting, conditions: Conditions) -> list[list[Change]]:
    """Make the candidates' grid, axis by axis: engine, Python stages, batch, delay.

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
        _copies_of_engine(conditions),
        *([_copies_of_stages(conditions.cores)] if conditions.has_stages else []),
        [{"max_batch_size": size} for size in sorted(set(batches), reverse=True)],
        [{"max_queue_delay_us": delay} for delay in delays if delay < budget_us],
    ]


def is_same(one: Setting, other: Setting, cores: int) -> bool:
    """Tell whether two settings serve alike: 0 threads are all cores, 0 processes are one."""
    return _in_full(one, cores) == _in_full(other, cores)


def _in_full(setting: Setting, cores: int) -> Setting:
    return dataclasses.replace(
        setting,
        threads=setting.threads or cores,
        **{name: getattr(setting, name) or 1 for name in _OF_STAGES},
    )


def _doubled(most: int) -> list[int]:
    """2, 4, 8 and so on."""
    return [1 << power for power in range(1, most.bit_length())]


def _copies_of_stages(cores: int) -> list[Change]:
    """Let the tokenizer have more processes, and the last stage half as many or the same."""
    counts = _doubled(min(max(cores, 2), MOST_INSTANCES))
    pairs = [(count, others) for count in counts for others in (count // 2, count)]
    return [dict(zip(_OF_STAGES, pair, strict=True)) for pair in pairs]


def _copies_of_engine(conditions: Conditions) -> list[Change]:
    """Give one instance every core, several instances a share, or leave a core to other stages.

    On a GPU the cores are the other stages'.
    """
    cores = conditions.cores
    counts = _doubled(min(max(cores, 2), conditions.most_instances))
    if conditions.is_on_gpu:
        return [{"instances": count} for count in (1, *counts)]
    pairs = [(1, 0), *((count, max(1, cores // count)) for count in counts)]
    if cores > 1:
        pairs.append((1, cores - 1))
    return [{"instances": count, "threads": threads} for count, threads in pairs]


def one_other(grid: Sequence[Sequence[Change]], start: Setting) -> list[list[Change]]:
    """Make a grid of one candidate: the first that differs from the start."""
    changes = (change for axis in grid for change in axis)
    return [[change for change in changes if dataclasses.replace(start, **change) != start][:1]]
