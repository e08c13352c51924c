"""Runs a converted engine and the FP32 one side by side, for what the conversion costs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.decisions import Row, agreement
from ernie_triton.build.check.exactness import output_rows
from ernie_triton.build.check.local_answers import PipelineParts, local_evaluator
from ernie_triton.build.check.quality import Limits, Quality
from ernie_triton.engines import Engine


@dataclass(slots=True)
class Judge:
    """Compares engines with the FP32 one; what that gives is computed once."""

    parts: PipelineParts
    before: Engine
    batch: TokenBatch
    data: Path | None
    limits: Limits
    _points_before: float | None = field(default=None, init=False)
    _rows_before: Sequence[Row] = field(default=(), init=False)

    def quality(self, engine: Engine) -> Quality:
        """How a converted engine does.

        Raises:
            DatasetError: the labelled data are of no use.
        """
        most = self.parts.spec.batching.max_batch_size
        if not self._rows_before:
            self._rows_before = output_rows(self.before, self.batch, most)
        after = output_rows(engine, self.batch, most)
        thresholds = self.parts.thresholds
        agreed = agreement(self.parts.task, self._rows_before, after, thresholds)
        metric, examples, points = "", 0, None
        if self.data is not None:
            if self._points_before is None:
                evaluator = local_evaluator(self.parts, self.before)
                self._points_before = evaluator.evaluate_file(self.data).points
            found = local_evaluator(self.parts, engine).evaluate_file(self.data)
            metric, examples, points = found.metric, found.examples, found.points
        return Quality(
            data=str(self.data or ""),
            examples=examples,
            metric=metric,
            before=self._points_before,
            after=points,
            allowed_loss=self.limits.loss if metric else None,
            texts=self.batch.rows,
            decisions=agreed.decisions,
            same_decisions=agreed.same,
            allowed_changes=self.limits.changes if not metric else None,
        )
