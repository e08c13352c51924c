"""Measure the loss of a conversion: points of the task's metric, or changed decisions.

The converted engine is compared with the FP32 graph in the same runtime, which the build has
compared with the source. With labelled data the metric decides, otherwise the share of decisions
that changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.decisions import Agreement, OutputRow, agreement
from ernie_triton.build.check.exactness import output_rows
from ernie_triton.build.check.local_answers import PipelineParts, local_evaluator
from ernie_triton.engines import Engine

FP16_ALLOWED_LOSS = 0.1
"""Points of the metric that FP16 may lose by rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest loss allowed; None where it is only measured.

    Attributes:
        loss: points of the metric, with labelled data.
        changes: share of the decisions, without.
    """

    loss: float | None
    changes: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """A converted engine against the FP32 one, as the manifest keeps it.

    Attributes:
        data: the labelled examples; empty without.
        examples: how many.
        metric: its name; empty without labelled data.
        before: points of the FP32 engine, in hundredths; None without labelled data.
        after: points of the converted engine.
        allowed_loss: most points that may be lost; None for no limit.
        texts: unlabelled texts on which decisions were compared.
        decisions: decisions compared.
        same_decisions: how many are the same.
        allowed_changes: most of them that may change, as a share; None for no limit.
    """

    data: str
    examples: int
    metric: str
    before: float | None
    after: float | None
    allowed_loss: float | None
    texts: int
    decisions: int
    same_decisions: int
    allowed_changes: float | None

    @property
    def lost(self) -> float:
        """Points lost; negative where the metric rose."""
        return (self.before or 0.0) - (self.after or 0.0)

    @property
    def changed_share(self) -> float:
        """Share of the decisions that changed."""
        return Agreement(same=self.same_decisions, decisions=self.decisions).changed_share

    @property
    def fits(self) -> bool:
        """True where no limit is exceeded."""
        if self.metric:
            return self.allowed_loss is None or self.lost <= self.allowed_loss + 1e-9
        return self.allowed_changes is None or self.changed_share <= self.allowed_changes + 1e-9

    def sentence(self) -> str:
        """The loss and its limit, for people."""
        if self.metric:
            allowed = "" if self.allowed_loss is None else f" (at most {self.allowed_loss:g} lost)"
            return (
                f"{self.metric} {self.after:.2f} instead of {self.before:.2f} on "
                f"{self.examples} examples{allowed}"
            )
        allowed = ""
        if self.allowed_changes is not None:
            allowed = f" (at most {100 * self.allowed_changes:g} % may change)"
        return (
            f"{self.same_decisions} of {self.decisions} decisions the same on {self.texts} "
            f"texts{allowed}"
        )


@dataclass(slots=True)
class PrecisionCheck:
    """Compares engines with the FP32 engine, whose own results are computed once."""

    parts: PipelineParts
    fp32: Engine
    batch: TokenBatch
    data: Path | None
    limits: Limits
    _fp32_points: float | None = field(default=None, init=False)
    _fp32_rows: Sequence[OutputRow] = field(default=(), init=False)

    def quality(self, engine: Engine) -> Quality:
        """Measure a converted engine.

        Raises:
            DatasetError: the labelled data are of no use.
        """
        most = self.parts.spec.batching.max_batch_size
        if not self._fp32_rows:
            self._fp32_rows = output_rows(self.fp32, self.batch, most)
        after = output_rows(engine, self.batch, most)
        thresholds = self.parts.thresholds
        agreed = agreement(self.parts.task, self._fp32_rows, after, thresholds)
        metric, examples, points = "", 0, None
        if self.data is not None:
            if self._fp32_points is None:
                evaluator = local_evaluator(self.parts, self.fp32)
                self._fp32_points = evaluator.evaluate_file(self.data).points
            found = local_evaluator(self.parts, engine).evaluate_file(self.data)
            metric, examples, points = found.metric, found.examples, found.points
        return Quality(
            data=str(self.data or ""),
            examples=examples,
            metric=metric,
            before=self._fp32_points,
            after=points,
            allowed_loss=self.limits.loss if metric else None,
            texts=self.batch.rows,
            decisions=agreed.decisions,
            same_decisions=agreed.same,
            allowed_changes=self.limits.changes if not metric else None,
        )
