"""The steps of `compress`: their order, their options, and how each runs."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.build.load.settings import config_values
from ernie_triton.build.progress import timed_step
from ernie_triton.errors import PipelineError
from ernie_triton.tasks import task_named
from ernie_triton.training.compression.distillation.distil import (
    ANSWER_STAGE,
    LAYER_STAGE,
    Distillation,
    distil,
)
from ernie_triton.training.compression.distillation.students import StudentShape
from ernie_triton.training.compression.int8.quantize import QuantizeOptions, quantize_checkpoint
from ernie_triton.training.compression.pruning.prune import RECOVERY, Pruning, prune
from ernie_triton.training.compression.slim.distil import SlimTraining, distil_slim
from ernie_triton.training.compression.step_report import StepReport
from ernie_triton.training.loop.schedule import Schedule

if TYPE_CHECKING:
    from ernie_triton.training.datasets import DataSet

ORIGINAL = "original"
REPORT = "report"
SCORES = "scores"
"""Folder of the teacher's scores, which the slim students share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressionStep:
    """A step that turns one checkpoint into another.

    Attributes:
        name: its name on the command line and of its folder.
        kind: `prune`, `quantize`, `distil` or `slim`.
        of: the step whose checkpoint it reads, or `ORIGINAL`.
        model: the report's name for the resulting model.
    """

    name: str
    kind: str
    of: str
    model: str


STEPS = (
    CompressionStep(name="int8", kind="quantize", of=ORIGINAL, model="original"),
    CompressionStep(name="pruned", kind="prune", of=ORIGINAL, model="pruned"),
    CompressionStep(name="pruned_int8", kind="quantize", of="pruned", model="pruned"),
    CompressionStep(name="distilled", kind="distil", of=ORIGINAL, model="distilled"),
    CompressionStep(name="distilled_int8", kind="quantize", of="distilled", model="distilled"),
    CompressionStep(name="slim_bow", kind="slim", of=ORIGINAL, model="slim bow"),
    CompressionStep(name="slim_cnn", kind="slim", of=ORIGINAL, model="slim CNN"),
)
STEP_NAMES = (*(step.name for step in STEPS), REPORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions:
    """Options of the steps.

    Attributes:
        width: share of heads and neurons that pruning keeps, above 0 to 1.
        student: shape of the distilled student; None for half of the teacher's layers.
        epochs: epochs of recovery and of each distillation stage; None for their defaults.
        learning_rate: their highest learning rate; None for their defaults.
        quantize: options of quantisation.
        max_length: most tokens of a row; None for the task's default.
        seed: of the recovery, the distillations and their new weights; None for their defaults.
    """

    width: float = 0.75
    student: StudentShape | None = None
    epochs: int | None = None
    learning_rate: float | None = None
    quantize: QuantizeOptions = dataclasses.field(default_factory=QuantizeOptions)
    max_length: int | None = None
    seed: int | None = None

    def of(self, step: CompressionStep) -> Mapping[str, object]:
        """Return the options that decide a step's result, in a form for JSON."""
        training: dict[str, object] = {
            "epochs": self.epochs,
            "learning_rate": self.learning_rate,
            "max_length": self.max_length,
            "seed": self.seed,
        }
        if step.kind == "quantize":
            return {**dataclasses.asdict(self.quantize), "max_length": self.max_length}
        if step.kind == "prune":
            return {**training, "width": self.width}
        if step.kind == "distil":
            shape = dataclasses.asdict(self.student) if self.student else "half of the layers"
            return {**training, "student": shape}
        return training


def chosen_steps(
    task: str, only: tuple[str, ...] = (), skipped: tuple[str, ...] = ()
) -> tuple[CompressionStep, ...]:
    """Choose the steps to run, in order, with the steps that they need.

    Args:
        task: name of the task; slim students are for tasks on whole texts.
        only: names of steps; empty for all.
        skipped: names of steps to leave out.

    Raises:
        PipelineError: a name is unknown, a step needs a skipped one, or the task has no slim
            students.
    """
    known = {step.name: step for step in STEPS}
    for name in (*only, *skipped):
        if name not in STEP_NAMES:
            raise PipelineError(f"there is no step {name!r}; known are {', '.join(STEP_NAMES)}")
    has_slim = task_named(task).head == "sequence"
    wanted = {name for name in only if name in known} or {
        step.name for step in STEPS if has_slim or step.kind != "slim"
    }
    wanted -= set(skipped)
    if only and not set(only) - {REPORT}:
        wanted = set()
    for name in sorted(wanted):
        step = known[name]
        if step.kind == "slim" and not has_slim:
            raise PipelineError(f"{name} is for tasks on whole texts; the task is {task}")
        if step.of != ORIGINAL and step.of in skipped:
            raise PipelineError(f"{name} needs {step.of}, which is skipped; skip both")
    needed = wanted | {known[name].of for name in wanted}
    return tuple(step for step in STEPS if step.name in needed)


def run_step(
    step: CompressionStep, source: Path, data: "DataSet", output: Path, options: StepOptions
) -> str:
    """Run a step, and describe its result in one line.

    Args:
        step: the step.
        source: the checkpoint that it reads.
        data: the task's data.
        output: folder to make.
        options: options of all steps.

    Raises:
        ErnieTritonError: the step fails; it can resume from a folder beside `output`.
    """
    if step.kind == "quantize":
        quantize = dataclasses.replace(options.quantize, max_length=options.max_length)
        made = quantize_checkpoint(source, data, output, quantize, timed_step)
        return "; ".join(one.sentence() for one in made.engines)
    report = _smaller(step, source, data, output, options)
    return (
        f"{report.metric} {report.after.points or 0.0:.2f} instead of "
        f"{report.before.points or 0.0:.2f}, {report.after.parameters:,} of "
        f"{report.before.parameters:,} parameters"
    )


def _smaller(
    step: CompressionStep, source: Path, data: "DataSet", output: Path, options: StepOptions
) -> StepReport:
    if step.kind == "slim":
        slim = SlimTraining(max_length=options.max_length)
        # The learning rate stays its own: such a student starts from random weights.
        schedule = _schedule(slim.schedule, dataclasses.replace(options, learning_rate=None))
        slim = dataclasses.replace(slim, schedule=schedule)
        kind = step.name.removeprefix("slim_")
        scores = output.parent / SCORES
        return distil_slim(source, data, output, kind=kind, training=slim, scores=scores)
    if step.kind == "prune":
        pruning = Pruning(recovery=_schedule(RECOVERY, options), max_length=options.max_length)
        return prune(source, data, output, width=options.width, pruning=pruning)
    how = Distillation(
        layers=_schedule(LAYER_STAGE, options),
        answers=_schedule(ANSWER_STAGE, options),
        max_length=options.max_length,
        seed=options.seed or 0,
    )
    student = options.student or StudentShape(layers=_half_of_layers(source))
    return distil(source, data, output, student, distillation=how)


def _schedule(usual: Schedule, options: StepOptions) -> Schedule:
    return dataclasses.replace(
        usual,
        epochs=options.epochs or usual.epochs,
        learning_rate=options.learning_rate or usual.learning_rate,
        seed=usual.seed if options.seed is None else options.seed,
    )


def _half_of_layers(checkpoint: Path) -> int:
    layers = config_values(checkpoint).get("num_hidden_layers")
    return max(1, int(layers) // 2) if isinstance(layers, int) else 1
