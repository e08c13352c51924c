"""Callbacks of transformers' `Trainer`: when to evaluate, save and stop, and the progress shown."""

import sys
import time
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback

from ernie_triton.build.progress import LINE_EVERY_S
from ernie_triton.training.loop.history import LOSS, history_of
from ernie_triton.training.loop.row_order import LengthGroupedRows
from ernie_triton.training.loop.schedule import Schedule


class ScheduleCallback(TrainerCallback):
    """Evaluate, save and stop by the schedule; save between evaluations by the clock."""

    def __init__(
        self, schedule: Schedule, order: LengthGroupedRows, checkpoint_every_s: float
    ) -> None:
        self._schedule = schedule
        self._order = order
        self._every_s = checkpoint_every_s
        self._saved_s = time.perf_counter()

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401, ARG002
        """Set the row order of this epoch, also after resuming within it."""
        per_epoch = self._schedule.steps_per_epoch(len(self._order), args.world_size)
        self._order.epoch = state.global_step // per_epoch

    def on_step_end(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401
        """Evaluate and save when the schedule says so; save also when enough time has passed."""
        rows, processes = len(self._order), args.world_size
        if self._schedule.evaluates_after(state.global_step, rows, processes):
            control.should_evaluate = control.should_save = control.should_log = True
        # The clocks of several processes would disagree.
        elif processes == 1 and time.perf_counter() - self._saved_s >= self._every_s:
            control.should_save = control.should_log = True

    def on_save(self, *_: object, **__: object) -> None:
        """Restart the clock of the next checkpoint."""
        self._saved_s = time.perf_counter()

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401, ARG002
        """Stop after too many evaluations without progress."""
        if history_of(state.log_history).has_stalled(self._schedule.early_stopping):
            control.should_training_stop = True


class ProgressCallback(TrainerCallback):
    """Show progress on stderr: a bar on a terminal, else a line a minute; and each evaluation.

    Only the first process shows any.
    """

    def __init__(self, name: str, metric: str) -> None:
        self._name = name
        self._metric = metric
        self._bar: tqdm[Any] | None = None
        self._said_s = self._began_s = time.perf_counter()
        self._began_step = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401, ARG002
        """Open the bar, and say so if the training resumes."""
        if not state.is_world_process_zero:
            return
        self._bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc=self._name,
            unit="step",
            file=sys.stderr,
            disable=None,
            leave=False,
        )
        self._said_s = self._began_s = time.perf_counter()
        self._began_step = state.global_step
        if state.global_step:
            self._line(f"resumes after step {state.global_step} of {state.max_steps}")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401, ARG002
        """Move the bar."""
        if self._bar is not None:
            self._bar.update()

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401, ARG002
        """Show the metric."""
        if not state.is_world_process_zero:
            return
        history = history_of(state.log_history)
        evaluated, best = history.evaluations[-1], history.best
        loss = history.losses[-1][1] if history.losses else float("nan")
        mark = " (best)" if evaluated == best else ""
        self._line(
            f"step {evaluated.step}/{state.max_steps}  epoch {evaluated.epoch:.2f}  "
            f"loss {loss:.4f}  {self._metric} {evaluated.points:.2f}{mark}  "
            f"{evaluated.elapsed_s:.1f} s"
        )

    def on_log(
        self,
        args: Any,  # noqa: ANN401, ARG002
        state: Any,  # noqa: ANN401
        control: Any,  # noqa: ANN401, ARG002
        logs: dict[str, Any] | None = None,
        **_: object,
    ) -> None:
        """Show the loss beside the bar, or in a line with the time that is left."""
        if self._bar is None or not logs or LOSS not in logs:
            return
        self._bar.set_postfix(loss=f"{logs[LOSS]:.3f}", refresh=False)
        now = time.perf_counter()
        done = state.global_step - self._began_step
        if not self._bar.disable or now - self._said_s < LINE_EVERY_S or not done:
            return
        self._said_s = now
        left_s = (now - self._began_s) / done * (state.max_steps - state.global_step)
        self._line(
            f"step {state.global_step}/{state.max_steps}  epoch {state.epoch:.2f}  "
            f"loss {logs[LOSS]:.4f}  {left_s / 60:.0f} min left"
        )

    def on_train_end(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401, ARG002
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()

    def _line(self, text: str) -> None:
        tqdm.write(f"{self._name}: {text}", file=sys.stderr)
