"""A training's progress on stderr: a bar on a terminal, else a line for each evaluation."""

import sys
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback

from ernie_triton.training.loop.history import LOSS, history_of


class ProgressCallback(TrainerCallback):
    """Shows where a training is, in the first process only."""

    def __init__(self, name: str, metric: str) -> None:
        self._name = name
        self._metric = metric
        self._bar: tqdm[Any] | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401, ARG002
        """Open the bar; say so where a training goes on."""
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
        if state.global_step:
            self._line(f"goes on after step {state.global_step} of {state.max_steps}")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401, ARG002
        """Move the bar."""
        if self._bar is not None:
            self._bar.update()

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401, ARG002
        """Say what was measured."""
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
        state: Any,  # noqa: ANN401, ARG002
        control: Any,  # noqa: ANN401, ARG002
        logs: dict[str, Any] | None = None,
        **_: object,
    ) -> None:
        """Show the loss beside the bar."""
        if self._bar is not None and logs and LOSS in logs:
            self._bar.set_postfix(loss=f"{logs[LOSS]:.3f}", refresh=False)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401, ARG002
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()

    def _line(self, text: str) -> None:
        tqdm.write(f"{self._name}: {text}", file=sys.stderr)
