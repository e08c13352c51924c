"""The report as data, and as JSON."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass

from ernie_triton.client.evaluation.evaluating import Evaluation
from ernie_triton.perf.compression_report.measuring import Figures
from ernie_triton.perf.compression_report.variants import Built
from ernie_triton.perf.paired import Spread, paired_ratio, spread
from ernie_triton.perf.results import MachineFacts

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One variant.

    Attributes:
        name: of the variant.
        model: which checkpoint it is of.
        engine: the runtime.
        precision: what it computes in.
        layers: of the encoder; 0 without one.
        hidden: width of its vectors.
        parameters: of the checkpoint.
        size_bytes: of the engine's files.
        points: the task's metric on the dev data, answered by the server, 0 to 100.
        lost: points less than the first variant's.
        qps: requests a second, 32 always under way.
        p50_ms: median latency of a request that is alone.
        p99_ms: its 99th percentile.
        speed_up: how many times the first variant's requests a second, round by round.
        largest_difference: of a logit from the checkpoint's, on the build's sample texts.
        unstable: why the speeds should not be trusted; empty where they should.
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
class Report:
    """Everything that was measured in one run.

    Attributes:
        title: what was compressed, on what data.
        task: its name.
        metric: the name of its metric.
        examples: of the dev data, on which it was taken.
        texts: how many different ones were sent.
        rounds: turns of every variant.
        seconds: of each figure.
        machine: where.
        commit: of this project.
        started_at: UTC, ISO 8601.
        rows: the first is what the others are compared with.
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
    rows: tuple[Row, ...]

    def to_json(self) -> str:
        """As indented JSON."""
        content = {"format": FORMAT, **dataclasses.asdict(self)}
        return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def rows_of(
    built: Sequence[Built], figures: Sequence[Figures], metrics: Sequence[Evaluation]
) -> tuple[Row, ...]:
    """The lines of the report; the first variant is what the others are compared with."""
    first, base = figures[0], metrics[0].points
    return tuple(
        _row(one, found, metric.points, base, first)
        for one, found, metric in zip(built, figures, metrics, strict=True)
    )


def _row(built: Built, found: Figures, points: float, base: float, first: Figures) -> Row:
    model, engine = built.manifest.model, built.manifest.engine
    rounds = len(found.qps)
    return Row(
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
        # A median stands while the odd rounds are the fewer.
        unstable=tuple(
            f"{why} in {count} of {rounds} rounds"
            for why, count in found.odd.items()
            if 2 * count >= rounds
        ),
    )
