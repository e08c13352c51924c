"""Hold the report as data and JSON."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass

from ernie_triton.client.evaluation.evaluating import Evaluation
from ernie_triton.perf.compression_report.measuring import VariantFigures
from ernie_triton.perf.compression_report.variants import Built
from ernie_triton.perf.paired import Spread, paired_ratio, spread
from ernie_triton.perf.results import MachineFacts

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantRow:
    """Figures of one variant.

    Attributes:
        name: of the variant.
        model: name of its checkpoint (`original`, `pruned`, …).
        engine: the runtime.
        precision: of the engine.
        layers: of the encoder; 0 without one.
        hidden: width of the encoder's vectors.
        parameters: of the checkpoint.
        size_bytes: size of the engine's files.
        points: the task's metric of the server's answers to the dev data, 0 to 100.
        lost: points below the first variant's.
        qps: requests a second at concurrency 32.
        p50_ms: median latency at concurrency 1, in milliseconds.
        p99_ms: 99th percentile of latency at concurrency 1, in milliseconds.
        speed_up: requests a second over the first variant's, round by round.
        largest_difference: of a logit from the checkpoint's, on the build's sample texts.
        unstable: reasons not to trust the speeds; empty where they are stable.
    """

    name: str
    model: str
    engine: str
    precision: str
    layers: int
    hidden: int
    parameters: int
    size_bytes: int
    points: float
    lost: float
    qps: Spread
    p50_ms: Spread
    p99_ms: Spread
    speed_up: Spread
    largest_difference: float
    unstable: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressionReport:
    """All figures of one run.

    Attributes:
        title: names the checkpoint and the data.
        task: name of the task.
        metric: name of the task's metric.
        examples: number of examples in the dev data.
        texts: number of different texts that were sent.
        rounds: turns of every variant.
        seconds: of each figure.
        machine: the machine.
        commit: of this project; empty outside a clone.
        started_at: UTC, ISO 8601.
        rows: the variants; all are compared with the first.
    """

    title: str
    task: str
    metric: str
    examples: int
    texts: int
    rounds: int
    seconds: float
    machine: MachineFacts
    commit: str
    started_at: str
    rows: tuple[VariantRow, ...]

    def to_json(self) -> str:
        """Return indented JSON."""
        content = {"format": _FORMAT, **dataclasses.asdict(self)}
        return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def report_rows(
    built: Sequence[Built], figures: Sequence[VariantFigures], metrics: Sequence[Evaluation]
) -> tuple[VariantRow, ...]:
    """Make the rows of the report; all variants are compared with the first."""
    first, base = figures[0], metrics[0].points
    return tuple(
        _row(one, found, metric.points, base, first)
        for one, found, metric in zip(built, figures, metrics, strict=True)
    )


def _row(
    built: Built, found: VariantFigures, points: float, base: float, first: VariantFigures
) -> VariantRow:
    model, engine = built.manifest.model, built.manifest.engine
    rounds = len(found.qps)
    return VariantRow(
        name=built.variant.name,
        model=built.variant.model,
        engine=engine.engine,
        precision=engine.precision,
        layers=model.layers,
        hidden=model.hidden,
        parameters=model.parameters,
        size_bytes=engine.size_bytes,
        points=points,
        lost=base - points,
        qps=spread(found.qps),
        p50_ms=spread(found.p50_ms),
        p99_ms=spread(found.p99_ms),
        speed_up=paired_ratio(found.qps, first.qps),
        largest_difference=built.manifest.exactness.largest_difference,
        # A median stands where fewer than half of the rounds are unstable.
        unstable=tuple(
            f"{why} in {count} of {rounds} rounds"
            for why, count in found.unstable.items()
            if 2 * count >= rounds
        ),
    )
