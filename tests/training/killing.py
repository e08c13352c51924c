"""Trains in processes that are killed at chosen instants; `test_resuming` runs it as a program.

`python -m tests.training.killing FOLDER` prints one JSON object. Every training is a
fork of this process, which itself computes nothing.
"""

import gc
import hashlib
import json
import os
import shutil
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from ernie_triton.training.loop import trainer, work_folder
from ernie_triton.training.loop.schedule import Schedule
from ernie_triton.training.loop.training import TrainingResult, train
from tests.training.tiny import model_and_task, part_of, write_base

SCHEDULE = Schedule(
    epochs=2, batch_size=16, learning_rate=3e-3, evaluations_per_epoch=2, precision="fp32", seed=7
)
ROWS = 88
"""Six batches an epoch, the last of eight rows."""


def main() -> int:
    """Train once unbroken and once for each way to die, and say how each ended."""
    folder = Path(sys.argv[1])
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    gc.freeze()  # each training would collect what was imported here
    outcomes = {"unbroken": _outcome(folder, "unbroken", [])}
    for name, instants in _LIVES.items():
        outcomes[name] = _outcome(folder, name, instants)
    print(json.dumps(outcomes))
    return 0


def _outcome(folder: Path, name: str, instants: list[Callable[[], None]]) -> dict[str, Any]:
    """What is left in the end of a run that died at each of the instants in turn."""
    base, work, answer = write_base(folder / "base"), folder / f"{name}.work", folder / name
    deaths, seen = 0, []
    for instant in [*instants, lambda: None]:
        process = os.fork()
        if not process:
            _live(base, work, answer, instant)
        status = os.waitpid(process, 0)[1]
        deaths += os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            raise RuntimeError(f"{name}: a training failed")
        seen.append(sorted(path.name for path in work.iterdir()))
    shutil.rmtree(work)
    return {**json.loads(answer.read_text(encoding="utf-8")), "deaths": deaths, "seen": seen}


def _live(base: Path, work: Path, answer: Path, instant: Callable[[], None]) -> None:
    code = 1
    try:
        instant()
        data = part_of("tnews", train=ROWS, dev=40)
        model, task = model_and_task(base, data)
        result = train(model, data, task, SCHEDULE, work, checkpoint_every_s=0.0)
        answer.write_text(json.dumps(_summary(model, result)), encoding="utf-8")
        code = 0
    finally:
        os._exit(code)


def _summary(model: Any, result: TrainingResult) -> dict[str, Any]:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    evaluations = [(one.step, one.points) for one in result.history.evaluations]
    return {
        "weights": digest.hexdigest(),
        "points": result.points,
        "kept": result.kept.step,
        "evaluations": evaluations,
        "losses": [list(one) for one in result.history.losses],
    }


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _at_step(step: int) -> Callable[[], None]:
    """Between two steps, when the step's checkpoint is not yet written."""

    def arm() -> None:
        class Killer(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
                if state.global_step == step:
                    _die()

        original = trainer.ResumableTrainer.run

        def run(self: Any) -> None:
            self.add_callback(Killer())
            original(self)

        trainer.ResumableTrainer.run = run  # type: ignore[method-assign]

    return arm


def _in_call(owner: Any, name: str, count: int, *, after: bool = False) -> Callable[[], None]:
    """In the so-manieth call of a function: instead of it, or right after it."""

    def arm() -> None:
        original, calls = getattr(owner, name), [0]

        def deadly(*args: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] == count and not after:
                _die()
            found = original(*args, **options)
            if calls[0] == count:
                _die()
            return found

        setattr(owner, name, deadly)

    return arm


def _in_half_a_file(count: int) -> Callable[[], None]:
    """With the so-manieth file of tensors written by half."""

    def arm() -> None:
        original, calls = torch.save, [0]

        def halved(state: Any, path: Any, *args: Any, **options: Any) -> None:
            calls[0] += 1
            original(state, path, *args, **options)
            if calls[0] == count:
                os.truncate(path, Path(path).stat().st_size // 2)
                _die()

        torch.save = halved  # type: ignore[assignment]

    return arm


_LIVES: dict[str, list[Callable[[], None]]] = {
    "before the first checkpoint": [_at_step(1)],
    "between checkpoints": [_at_step(3), _at_step(11)],
    "at the end of an epoch": [_at_step(7)],
    "while files are written": [_in_half_a_file(9), _in_half_a_file(10), _in_half_a_file(3)],
    "before and after a checkpoint has its name": [
        _in_call(work_folder.WorkFolder, "publish", 4),
        _in_call(work_folder.WorkFolder, "publish", 3, after=True),
        _in_call(work_folder.WorkFolder, "forget_worse", 2),
    ],
    "after the last step": [_in_call(work_folder.WorkFolder, "best", 1)],
}

if __name__ == "__main__":
    sys.exit(main())
