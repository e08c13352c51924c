"""The folder in which a training keeps what it needs to go on after a kill.

Everything in it gets its name only when it is whole: a checkpoint is written as `partial/…` and
then renamed, the best weights likewise. What lies there under its name can be read.
"""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ernie_triton.errors import TrainingError

if TYPE_CHECKING:
    import torch

RUN_FILE = "run.json"
STATE_FILE = "trainer_state.json"
MODEL_STATE_FILE = "weights.pt"
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_BEST = re.compile(r"best-(\d+)\.pt")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFolder:
    """One training's folder."""

    path: Path

    @property
    def partial(self) -> Path:
        """Where a checkpoint is written."""
        return self.path / "partial"

    def open(self, identity: Mapping[str, object], *, resume: bool) -> None:
        """Make the folder, or find that what it holds is of this very training.

        Args:
            identity: what decides the course of the training.
            resume: go on with what is there; else it is removed.

        Raises:
            TrainingError: it holds another training.
        """
        if not resume:
            self.remove()
        run = self.path / RUN_FILE
        if not run.is_file():
            self.remove()
            self.path.mkdir(parents=True, exist_ok=True)
            beside = run.with_suffix(".partial")
            beside.write_text(json.dumps(identity, indent=2), encoding="utf-8")
            beside.replace(run)
            return
        found = json.loads(run.read_text(encoding="utf-8"))
        other = [name for name, value in identity.items() if found.get(name) != value]
        if other:
            raise TrainingError(
                f"{self.path} holds another training, with other {', '.join(other)}; remove the "
                "folder to start anew, or repeat that training to go on with it"
            )

    def checkpoint(self) -> Path | None:
        """The last checkpoint that is whole."""
        steps = self._steps(_CHECKPOINT)
        return self.path / f"checkpoint-{max(steps)}" if steps else None

    def log(self) -> list[dict[str, Any]]:
        """The trainer's log in the last checkpoint."""
        checkpoint = self.checkpoint()
        if checkpoint is None:
            return []
        state = json.loads((checkpoint / STATE_FILE).read_text(encoding="utf-8"))
        return list(state["log_history"])

    def publish(self, written: Path) -> None:
        """Give a checkpoint that was written in `partial` its name, and remove the one before."""
        final = self.path / written.name
        shutil.rmtree(final, ignore_errors=True)
        written.rename(final)
        shutil.rmtree(self.partial, ignore_errors=True)
        kept = int(written.name.rpartition("-")[2])
        for step in self._steps(_CHECKPOINT) - {kept}:
            shutil.rmtree(self.path / f"checkpoint-{step}", ignore_errors=True)

    def save_best(self, step: int, state: Mapping[str, "torch.Tensor"]) -> None:
        """Keep weights as those of the best evaluation, after a step."""
        save_tensors(state, self.path / f"best-{step}.pt")

    def forget_worse(self, best: int) -> None:
        """Remove the weights of all evaluations but one, once a checkpoint knows of that one."""
        for step in self._steps(_BEST) - {best}:
            (self.path / f"best-{step}.pt").unlink(missing_ok=True)

    def best(self, step: int) -> dict[str, "torch.Tensor"]:
        """The weights of the evaluation after a step."""
        return load_tensors(self.path / f"best-{step}.pt")

    def remove(self) -> None:
        """Remove the folder.

        Raises:
            TrainingError: it holds what no training writes.
        """
        known = {RUN_FILE, f"{Path(RUN_FILE).stem}.partial", self.partial.name}
        for path in self.path.iterdir() if self.path.is_dir() else ():
            name = path.name.removesuffix(".partial")
            if path.name not in known and not _CHECKPOINT.fullmatch(name) and not _BEST.match(name):
                raise TrainingError(
                    f"{self.path} holds {path.name}, which no training wrote; name another folder"
                )
        shutil.rmtree(self.path, ignore_errors=True)

    def _steps(self, kind: re.Pattern[str]) -> set[int]:
        names = (path.name for path in self.path.iterdir()) if self.path.is_dir() else ()
        return {int(match[1]) for match in map(kind.fullmatch, names) if match}


def save_tensors(state: Mapping[str, "torch.Tensor"], path: Path) -> None:
    """Write tensors by name; the file appears when it is whole."""
    import torch

    beside = path.with_name(f"{path.name}.partial")
    torch.save(dict(state), beside)
    beside.replace(path)


def load_tensors(path: Path) -> dict[str, "torch.Tensor"]:
    """The tensors of a file, on the CPU."""
    import torch

    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state
