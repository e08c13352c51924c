"""The training function of fine-tuning, recovery, distillation and quantisation-aware training.

It wraps transformers' `Trainer` (`trainer`). A killed run that is called again with the same
arguments resumes from its last checkpoint and ends with the weights of an unbroken run. Processes
that torchrun starts train together.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.errors import MissingExtraError
from ernie_triton.training.datasets import DataSet
from ernie_triton.training.loop.history import Evaluated, History, history_of
from ernie_triton.training.loop.schedule import Schedule, resolved_precision
from ernie_triton.training.loop.work_folder import WorkFolder
from ernie_triton.training.tasks import Batch, Features, TrainingTask

if TYPE_CHECKING:
    import torch
    from torch import nn

Loss: TypeAlias = "Callable[[nn.Module, Batch], torch.Tensor]"
"""Takes the model and a collated batch with targets; returns the batch's mean loss, a scalar. It
may call other models too (a teacher), and runs in the training's precision."""

CHECKPOINT_EVERY_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """Outcome of a training.

    Attributes:
        metric: the metric's name.
        points: the metric of the kept weights on the development set, 0 to 100.
        kept: the evaluation of the kept weights.
        history: all evaluations and losses.
        figures: all figures of the task's scorer for the kept weights.
        steps: optimizer steps done.
        rows: training rows; long texts have several.
        seconds: time of training and evaluating, including runs that were killed.
        precision: number format of the training.
        processes: number of processes that trained together.
        is_writer: this is the first process, which writes the results.
    """

    metric: str
    points: float
    kept: Evaluated
    history: History
    figures: Mapping[str, Any]
    steps: int
    rows: int
    seconds: float
    precision: str
    processes: int
    is_writer: bool


def train(
    model: "nn.Module",
    data: DataSet,
    task: TrainingTask,
    schedule: Schedule,
    work: Path,
    *,
    loss: "Loss | None" = None,
    signature: str = "",
    resume: bool = True,
    name: str = "training",
    checkpoint_every_s: float = CHECKPOINT_EVERY_S,
) -> TrainingResult:
    """Train a model in place; it ends in evaluation mode with the best or the last weights.

    Args:
        model: the module to train; `TrainingTask` says what it must return. Draw new weights from a
            seed, so that a resumed run starts with the same ones.
        data: the examples.
        task: of the data's task.
        schedule: the hyper-parameters.
        work: folder for checkpoints; the caller removes it once the result is safe.
        loss: replaces the task's own loss.
        signature: names everything else that decides the result, such as the weights of a loss or
            the teacher. A `work` folder with another signature is refused.
        resume: continue the training in `work`; else that is removed.
        name: label of the progress bar.
        checkpoint_every_s: seconds between checkpoints, besides those at evaluations.

    Raises:
        TrainingError: `work` holds another training, the loss is NaN or infinite, or the device
            lacks the precision.
        MissingExtraError: torch, transformers or accelerate is not installed.
    """
    import_torch()
    if find_spec("accelerate") is None:
        raise MissingExtraError("accelerate", "train", "training models")
    from ernie_triton.training.loop import callbacks, trainer

    rows = task.rows(data.train)
    precision = resolved_precision(schedule.precision)
    folder = WorkFolder(path=work)

    def own_loss(model: "nn.Module", batch: Batch) -> "torch.Tensor":
        return task.loss(model, batch, smoothing=schedule.label_smoothing)

    run = trainer.ResumableTrainer(
        model,
        rows,
        schedule,
        folder,
        precision=precision,
        collate=task.collate,
        loss=loss or own_loss,
        measure=lambda model: task.evaluate(model, data.dev),
        checkpoint_every_s=checkpoint_every_s,
        may_skip_weights=loss is not None,
    )
    identity = {
        **dataclasses.asdict(schedule),
        "precision": precision,
        "processes": run.args.world_size,
        "signature": signature,
        "rows": _digest_of_rows(rows),
        "weights": _digest_of_tensors(model.state_dict()),
    }
    with run.args.main_process_first(local=False):
        if run.is_world_process_zero():
            folder.open(identity, resume=resume)
    run.add_callback(callbacks.ProgressCallback(name, EVALUATION_METHODS[data.task].metric.name))
    run.run()
    return _finished(run, model, data, precision)


def _finished(run: Any, model: "nn.Module", data: DataSet, precision: str) -> TrainingResult:  # noqa: ANN401
    """Load the kept weights into the model, and sum up the training."""
    log: Sequence[Mapping[str, Any]] = run.state.log_history
    history = history_of(log)
    kept = history.best if run.schedule.keep_best else history.evaluations[-1]
    if kept is None:
        raise RuntimeError("a training ended without an evaluation")
    if run.schedule.keep_best:
        model.load_state_dict(run.work.best(kept.step))
    model.eval()
    figures = next(
        one["figures"] for one in log if one.get("step") == kept.step and "figures" in one
    )
    return TrainingResult(
        metric=EVALUATION_METHODS[data.task].metric.name,
        points=kept.points,
        kept=kept,
        history=history,
        figures=figures,
        steps=history.evaluations[-1].step,
        rows=run.rows,
        seconds=history.evaluations[-1].elapsed_s,
        precision=precision,
        processes=run.args.world_size,
        is_writer=run.is_world_process_zero(),
    )


def leave_processes() -> None:
    """Leave the process group of a training in several processes."""
    torch = import_torch()
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _digest_of_rows(rows: Iterable[Features]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for row in rows:
        for key in sorted(row):
            digest.update(row[key].tobytes())
            digest.update(b"/")
    return digest.hexdigest()


def _digest_of_tensors(state: Mapping[str, "torch.Tensor"]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(state):
        digest.update(f"{name} {tuple(state[name].shape)}".encode())
        digest.update(state[name].detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
