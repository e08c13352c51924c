"""Structured width pruning: fewer attention heads and feed-forward neurons in every layer.

Parts with the least measured effect on the loss go (`importance`). The rest is trained to behave
as the whole model did (DynaBERT, arxiv.org/abs/2004.04037).
"""

import copy
import shutil
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.build.progress import timed_step
from ernie_triton.build.torch_models.checkpoints import check_free, load_model, save_model
from ernie_triton.build.torch_models.layer_widths import widths_of
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.training.compression.objectives.objectives import LossWeights
from ernie_triton.training.compression.objectives.teacher import Teacher
from ernie_triton.training.compression.preparation import PreparedModel, prepared_model, task_of
from ernie_triton.training.compression.pruning.importance import (
    Importance,
    task_importance,
    weight_importance,
)
from ernie_triton.training.compression.pruning.recovery import RecoveryObjective
from ernie_triton.training.compression.pruning.rewiring import keep_parts
from ernie_triton.training.compression.pruning.widths import Kept, Width, kept_parts
from ernie_triton.training.compression.step_report import REPORT_FILE, StepReport, model_figures
from ernie_triton.training.datasets import DataSet
from ernie_triton.training.loop.schedule import Schedule
from ernie_triton.training.loop.training import train

if TYPE_CHECKING:
    from transformers import PreTrainedModel

IMPORTANCE_EXAMPLES = 1024
RECOVERY = Schedule(epochs=3, learning_rate=1e-4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """Options of pruning.

    Attributes:
        width: share of the model that stays.
        recovery: schedule of the training afterwards; None for no training.
        weights: weights of the recovery's losses.
        examples: training examples to measure importance on.
        max_length: most tokens of a row in training; None for the task's default.
    """

    width: Width = field(default_factory=Width)
    recovery: Schedule | None = RECOVERY
    weights: LossWeights = field(default_factory=LossWeights)
    examples: int = IMPORTANCE_EXAMPLES
    max_length: int | None = None


def prune(
    checkpoint: Path,
    data: DataSet | None,
    output: Path,
    *,
    width: float = 0.75,
    pruning: Pruning | None = None,
    work: Path | None = None,
    resume: bool = True,
) -> StepReport:
    """Prune a fine-tuned model, and write the smaller one as a checkpoint.

    Args:
        checkpoint: transformers or PaddleNLP, pruned before or not.
        data: data of its task; None ranks heads and neurons by the size of their weights and
            trains nothing, which serves to measure speed.
        output: a new folder; `compression.json` lies beside the weights.
        width: share of heads and neurons that stays.
        pruning: all other options; its own share is ignored.
        work: folder from which a killed recovery resumes, by default `OUTPUT.work`. It is
            removed when the checkpoint is written.
        resume: continue the recovery in `work`.

    Raises:
        CheckpointError: the width is out of range, the model has another task than the data, or
            the output exists.
    """
    how = pruning or Pruning()
    how = replace(how, width=replace(how.width, share=width))
    check_free(output)
    if data is None:
        student, report = _pruned_by_weights(checkpoint, how.width)
        _save(student, output, checkpoint, report)
        return report
    folder = work or output.with_name(f"{output.name}.work")
    student, report = _pruned_by_loss(
        prepared_model(checkpoint, data, max_length=how.max_length), how, folder, resume=resume
    )
    _save(student, output, checkpoint, report)
    shutil.rmtree(folder, ignore_errors=True)
    return report


def cut(
    model: "PreTrainedModel", importance: Importance, width: Width
) -> tuple["PreTrainedModel", tuple[Kept, ...]]:
    """Return a narrower copy of a model, not trained yet, and the parts that it kept."""
    kept = kept_parts(importance, width)
    narrow = copy.deepcopy(model)
    keep_parts(narrow, kept)
    return narrow, kept


def _pruned_by_loss(
    whole: PreparedModel, how: Pruning, folder: Path, *, resume: bool
) -> tuple["PreTrainedModel", StepReport]:
    task = whole.task
    with timed_step("importance") as notes:
        before, started = whole.points_of(whole.model), time.perf_counter()
        importance = task_importance(whole, how.examples)
        seconds = {"importance": time.perf_counter() - started}
        student, kept = cut(whole.model, importance, how.width)
        points = when_cut = whole.points_of(student)
        notes.append(f"{before:.2f} points, {when_cut:.2f} when cut")
    if how.recovery is not None:
        objective = RecoveryObjective(Teacher(whole.model, task.data.task), task, how.weights, kept)
        result = train(
            student,
            whole.data,
            task,
            how.recovery,
            folder,
            loss=objective,
            signature=f"prune {how}",
            resume=resume,
            name="recovery",
        )
        points, seconds["recovery"] = result.points, result.seconds
    return student, StepReport(
        step="prune",
        metric=EVALUATION_METHODS[task.data.task].metric.name,
        before=model_figures(whole.model, before),
        after=model_figures(student, points),
        seconds=seconds,
        settings={**_settings(how, student), "points_when_cut": when_cut},
    )


def _pruned_by_weights(checkpoint: Path, width: Width) -> tuple["PreTrainedModel", StepReport]:
    model = load_model(checkpoint, task=task_of(checkpoint))
    started = time.perf_counter()
    student, _ = cut(model, weight_importance(model), width)
    return student, StepReport(
        step="prune",
        metric="",
        before=model_figures(model, None),
        after=model_figures(student, None),
        seconds={"cutting": time.perf_counter() - started},
        settings={**asdict(width), "layers": [asdict(one) for one in widths_of(student)]},
    )


def _settings(how: Pruning, student: "PreTrainedModel") -> dict[str, object]:
    return {
        **asdict(how.width),
        "importance_examples": how.examples,
        "recovery": asdict(how.recovery) if how.recovery else None,
        "weights": asdict(how.weights),
        "layers": [asdict(one) for one in widths_of(student)],
    }


def _save(model: "PreTrainedModel", output: Path, checkpoint: Path, report: StepReport) -> None:
    more = {REPORT_FILE: report.as_bytes()}
    save_model(model, output, tokenizer_from=checkpoint, more_files=more)
