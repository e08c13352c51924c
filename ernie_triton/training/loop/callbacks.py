"""When a training measures, writes a checkpoint and stops: a callback of the `Trainer`."""

import time
from typing import Any

from transformers import TrainerCallback

from ernie_triton.training.loop.history import history_of
from ernie_triton.training.loop.row_order import LengthGroupedRows
from ernie_triton.training.loop.schedule import Schedule


class Conductor(TrainerCallback):
    """Goes by the schedule, by what was measured, and by the clock for further checkpoints."""

    def __init__(
        self, schedule: Schedule, order: LengthGroupedRows, checkpoint_every_s: float
    ) -> None:
        self._schedule = schedule
        self._order = order
        self._every_s = checkpoint_every_s
        self._saved_s = time.perf_counter()

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401, ARG002
        """Give the rows the order of this epoch, a resumed one included."""
        per_epoch = self._schedule.steps_per_epoch(len(self._order), args.world_size)
        self._order.epoch = state.global_step // per_epoch

    def on_step_end(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401
        """Measure as the schedule says; write a checkpoint then, and from time to time between."""
        rows, processes = len(self._order), args.world_size
        if self._schedule.evaluates_after(state.global_step, rows, processes):
            control.should_evaluate = control.should_save = control.should_log = True
        # Several processes could not agree on the time.
        elif processes == 1 and time.perf_counter() - self._saved_s >= self._every_s:
            control.should_save = control.should_log = True

    def on_save(self, *_: object, **__: object) -> None:
        """Count from here to the next checkpoint."""
        self._saved_s = time.perf_counter()

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401, ARG002
        """Stop when there was no progress for long enough."""
        if history_of(state.log_history).has_stalled(self._schedule.early_stopping):
            control.should_training_stop = True
