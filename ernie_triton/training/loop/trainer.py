"""transformers' `Trainer` with our rows, losses, metric and checkpoints.

This module imports transformers, so import it only where a training starts. It overrides the
sampler, the loss, `evaluate`, and the reading and writing of checkpoints; all of these are the same
in transformers 4.56 and 5.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PrinterCallback, Trainer, TrainerControl, TrainingArguments

from ernie_triton.client.evaluation.evaluating import Evaluation
from ernie_triton.errors import TrainingError
from ernie_triton.training.loop.callbacks import ScheduleCallback
from ernie_triton.training.loop.history import ELAPSED, LOSS, POINTS, history_of
from ernie_triton.training.loop.row_order import LengthGroupedRows
from ernie_triton.training.loop.schedule import Schedule
from ernie_triton.training.loop.work_folder import (
    MODEL_STATE_FILE,
    WorkFolder,
    load_tensors,
    save_tensors,
)
from ernie_triton.training.tasks import Batch, Features

_LOGS_PER_TRAINING = 200
"""Losses logged in one training, besides those before each evaluation."""


class Rows(torch.utils.data.Dataset[Features]):
    """The training rows, in memory."""

    def __init__(self, rows: Sequence[Features]) -> None:
        self.rows = rows

    def __getitem__(self, index: int) -> Features:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)


class ResumableTrainer(Trainer):
    """Train a model so that a run killed at any moment ends like an unbroken one."""

    control: TrainerControl

    def __init__(
        self,
        model: nn.Module,
        rows: Sequence[Features],
        schedule: Schedule,
        work: WorkFolder,
        *,
        precision: str,
        collate: Callable[[Sequence[Features]], Any],
        loss: Callable[[nn.Module, Batch], torch.Tensor],
        measure: Callable[[nn.Module], Evaluation],
        checkpoint_every_s: float,
        may_skip_weights: bool = False,
    ) -> None:
        """Set up; with `may_skip_weights` the loss may leave some weights without gradient."""
        arguments = _arguments(schedule, work.path, len(rows), precision)
        arguments.ddp_find_unused_parameters = may_skip_weights
        super().__init__(
            model=model, args=arguments, train_dataset=Rows(rows), data_collator=collate
        )
        self.remove_callback(PrinterCallback)
        # Our loss is a mean over a batch, unlike the model's own.
        self.model_accepts_loss_kwargs = False
        self.schedule = schedule
        # Without the wrapper that training in several processes adds.
        self._module = model
        self.work = work
        self._loss, self._measure = loss, measure
        self._autocast = torch.bfloat16 if precision == "bf16" else None
        self._earlier_s, self._started_s = 0.0, time.perf_counter()
        self._order = LengthGroupedRows(
            [len(row["input_ids"]) for row in rows],
            schedule.batch_size * arguments.world_size,
            schedule.seed,
        )
        self.add_callback(ScheduleCallback(schedule, self._order, checkpoint_every_s))

    def run(self) -> None:
        """Train from the last checkpoint or from the start, unless the training is done."""
        log = self.work.log()
        checkpoint = self.work.checkpoint()
        if log:
            self._earlier_s = float(log[-1][ELAPSED])
        self._started_s = time.perf_counter()
        if checkpoint and self._is_done(checkpoint, log):
            self.state.log_history = log
            self._load_from_checkpoint(str(checkpoint))
            return
        self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if self.args.fp16:
            self._module.__dict__.pop("forward", None)

    def _is_done(self, checkpoint: Path, log: Sequence[Mapping[str, Any]]) -> bool:
        """Tell if the checkpoint is the last: all steps done, or stopped early."""
        step = int(checkpoint.name.rpartition("-")[2])
        is_last = step >= self.schedule.steps(self.rows, self.args.world_size)
        return is_last or history_of(log).has_stalled(self.schedule.early_stopping)

    @property
    def rows(self) -> int:
        """Number of training rows."""
        return len(self._order)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Mapping[str, torch.Tensor],
        return_outputs: bool = False,  # noqa: ARG002
        num_items_in_batch: object = None,  # noqa: ARG002
    ) -> torch.Tensor:
        """Return the given loss, computed under autocast for bfloat16."""
        if self._autocast is None:
            return self._loss(model, inputs)
        with torch.autocast(self.args.device.type, self._autocast):
            return self._loss(model, inputs)

    def evaluate(self, *_: object, **__: object) -> dict[str, float]:
        """Evaluate on the development set, in one process; save the weights if they are best."""
        found: list[Any] = [None]
        if self.is_world_process_zero():
            with self.in_full_precision():
                evaluation = self._measure(self._module)
            found = [{POINTS: evaluation.points, "figures": dict(evaluation.figures)}]
        if torch.distributed.is_initialized():
            torch.distributed.broadcast_object_list(found)
        self.log(dict(found[0]))
        best = history_of(self.state.log_history).best
        is_best = best is not None and best.step == self.state.global_step
        if is_best and self.schedule.keep_best and self.is_world_process_zero():
            self.work.save_best(self.state.global_step, self._module.state_dict())
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, found[0]
        )
        return {POINTS: found[0][POINTS]}

    @contextmanager
    def in_full_precision(self) -> Iterator[None]:
        """Take away the float16 wrapper that accelerate puts around the model's `forward`."""
        wrapped = self._module.__dict__.pop("forward", None) if self.args.fp16 else None
        try:
            yield
        finally:
            if wrapped is not None:
                self._module.__dict__["forward"] = wrapped

    def log(self, logs: dict[str, Any], start_time: float | None = None) -> None:
        """Log figures with the time elapsed.

        Raises:
            TrainingError: the loss is NaN or infinite.
        """
        if not math.isfinite(logs.get(LOSS, 0.0)):
            raise TrainingError(
                f"the loss is {logs[LOSS]} at step {self.state.global_step}; train with a lower "
                "learning rate, or with --precision fp32"
            )
        logs[ELAPSED] = self._earlier_s + time.perf_counter() - self._started_s
        super().log(logs, start_time)

    def floating_point_ops(self, inputs: object) -> int:  # noqa: ARG002
        """Return 0: counting would walk through all modules at every step."""
        return 0

    def _get_train_sampler(self, *_: object) -> Any:  # noqa: ANN401 - a sampler by its methods
        return self._order

    def _get_output_dir(self, trial: object) -> str:  # noqa: ARG002
        return str(self.work.partial)

    def _save_checkpoint(self, model: nn.Module, trial: object) -> None:
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            self.work.publish(self.work.partial / f"checkpoint-{self.state.global_step}")
            best = history_of(self.state.log_history).best
            if best is not None:
                self.work.forget_worse(best.step)
        self.accelerator.wait_for_everyone()

    def _save(
        self, output_dir: str | None = None, state_dict: dict[str, torch.Tensor] | None = None
    ) -> None:
        """Save the weights alone; configuration and vocabulary belong to the caller."""
        if not self.args.should_save:
            return
        folder = Path(output_dir or self.work.partial)
        folder.mkdir(parents=True, exist_ok=True)
        save_tensors(state_dict or self._module.state_dict(), folder / MODEL_STATE_FILE)

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: nn.Module | None = None
    ) -> None:
        state = load_tensors(Path(resume_from_checkpoint) / MODEL_STATE_FILE)
        (model or self._module).load_state_dict(state)


def _arguments(schedule: Schedule, folder: Path, rows: int, precision: str) -> TrainingArguments:
    has_gpu = torch.cuda.is_available()
    together = torch.distributed.is_torchelastic_launched()
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=schedule.epochs,
        max_steps=schedule.max_steps or -1,
        per_device_train_batch_size=schedule.batch_size,
        gradient_accumulation_steps=schedule.accumulation_steps,
        learning_rate=schedule.learning_rate,
        lr_scheduler_type="linear",
        weight_decay=schedule.weight_decay,
        max_grad_norm=schedule.max_gradient_norm,
        optim="adamw_torch_fused",
        seed=schedule.seed,
        fp16=precision == "fp16",
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="steps",
        logging_nan_inf_filter=False,
        remove_unused_columns=False,
        dataloader_pin_memory=has_gpu,
        use_cpu=not has_gpu,
        ddp_backend="gloo" if together and not has_gpu else None,
        report_to="none",
        disable_tqdm=True,
    )
    steps = schedule.steps(rows, arguments.world_size)
    arguments.warmup_steps = round(schedule.warmup_share * steps)
    arguments.logging_steps = max(1, steps // _LOGS_PER_TRAINING)
    return arguments
