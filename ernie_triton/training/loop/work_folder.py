"""The folder from which a killed training resumes.

A checkpoint is written to `partial/…` and renamed when it is complete, and so are the best weights.
So every file under its final name can be read.
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
    """Folder of one training."""

    path: Path

    @property
    def partial(self) -> Path:
        """Folder in which a checkpoint is written."""
        return self.path / "partial"

    def open(self, identity: Mapping[str, object], *, resume: bool) -> None:
        """Make the folder, or check that it belongs to this training.

        Args:
            identity: everything that decides the result of the training.
            resume: continue with the folder's content; else it is removed.

        Raises:
            TrainingError: the folder holds another training.
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
                "folder to start anew, or give the same options to resume it"
            )

    def checkpoint(self) -> Path | None:
        """Return the last complete checkpoint."""
        steps = self._steps(_CHECKPOINT)
        return self.path / f"checkpoint-{max(steps)}" if steps else None

    def log(self) -> list[dict[str, Any]]:
        """Return the trainer's log from the last checkpoint."""
        checkpoint = self.checkpoint()
        if checkpoint is None:
            return []
        state = json.loads((checkpoint / STATE_FILE).read_text(encoding="utf-8"))
        return list(state["log_history"])

    def publish(self, written: Path) -> None:
        """Move a checkpoint out of `partial`, and remove the one before."""
        final = self.path / written.name
        shutil.rmtree(final, ignore_errors=True)
        written.rename(final)
        shutil.rmtree(self.partial, ignore_errors=True)
        kept = int(written.name.rpartition("-")[2])
        for step in self._steps(_CHECKPOINT) - {kept}:
            shutil.rmtree(self.path / f"checkpoint-{step}", ignore_errors=True)

    def save_best(self, step: int, state: Mapping[str, "torch.Tensor"]) -> None:
        """Save weights as the best, by the step of their evaluation."""
        save_tensors(state, self.path / f"best-{step}.pt")

    def forget_worse(self, best: int) -> None:
        """Remove all saved weights but the best, once a checkpoint's log holds that one."""
        for step in self._steps(_BEST) - {best}:
            (self.path / f"best-{step}.pt").unlink(missing_ok=True)

    def best(self, step: int) -> dict[str, "torch.Tensor"]:
        """Load the weights that were saved after a step."""
        return load_tensors(self.path / f"best-{step}.pt")

    def remove(self) -> None:
        """Remove the folder.

        Raises:
            TrainingError: it holds a file that no training writes.
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
    """Write tensors by name; the file appears when it is complete."""
    import torch

    beside = path.with_name(f"{path.name}.partial")
    torch.save(dict(state), beside)
    beside.replace(path)


def load_tensors(path: Path) -> dict[str, "torch.Tensor"]:
    """Read the tensors of a file, onto the CPU."""
    import torch

    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state
