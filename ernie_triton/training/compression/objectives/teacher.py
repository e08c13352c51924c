"""The teacher: a frozen model that computes its answer to each row once."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.tasks import TOKEN_CLS
from ernie_triton.training.compression.objectives.signals import Signals, signals_of
from ernie_triton.training.tasks.evaluation import INPUTS

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

ANSWER_NAMES = ("logits", "start_logits", "end_logits")
"""Output names of all tasks."""


class Teacher:
    """A model in evaluation mode, without gradients; it moves to the device of the batches."""

    def __init__(self, model: "PreTrainedModel", task: str) -> None:
        """Freeze the model.

        Args:
            model: a model of the task.
            task: name of the task; decides if answers are per token.
        """
        self.model = model
        self.model.train(mode=False)
        self.model.requires_grad_(requires_grad=False)
        self._of_tokens = task == TOKEN_CLS.name
        self._remembered: dict[bytes, dict[str, Tensor]] = {}

    def signals(self, batch: Mapping[str, "Tensor"]) -> Signals:
        """Return its signals for a batch."""
        torch = import_torch()
        self._follow(batch["input_ids"].device)
        with torch.no_grad():
            return signals_of(self.model, batch)

    def answer(self, batch: Mapping[str, "Tensor"]) -> Any:  # noqa: ANN401 (as transformers answers)
        """Return its answer to a batch; answers are stored by row, so later epochs cost nothing.

        Returns:
            An object with `logits`, or `start_logits` and `end_logits`, float32.
        """
        keys = row_keys(batch)
        if any(key not in self._remembered for key in keys):
            self._remember(keys, batch)
        rows = [self._remembered[key] for key in keys]
        longest, device = batch["input_ids"].shape[1], batch["input_ids"].device
        return SimpleNamespace(
            **{
                name: self._stacked(name, [row[name] for row in rows], longest).to(device)
                for name in rows[0]
            }
        )

    def _remember(self, keys: list[bytes], batch: Mapping[str, "Tensor"]) -> None:
        torch = import_torch()
        self._follow(batch["input_ids"].device)
        with torch.no_grad():
            answer: Any = self.model(**{name: batch[name] for name in INPUTS})
        found = {name: getattr(answer, name) for name in ANSWER_NAMES if hasattr(answer, name)}
        lengths = batch["attention_mask"].sum(dim=1).tolist()
        for index, (key, length) in enumerate(zip(keys, lengths, strict=True)):
            self._remembered[key] = {
                name: (values[index, :length] if self._is_of_tokens(name) else values[index])
                .float()
                .cpu()
                .clone()
                for name, values in found.items()
            }

    def _is_of_tokens(self, name: str) -> bool:
        return self._of_tokens or name != "logits"

    def _stacked(self, name: str, rows: list["Tensor"], longest: int) -> "Tensor":
        torch = import_torch()
        if self._is_of_tokens(name):
            pad = torch.nn.functional.pad
            rows = [pad(row, (0, 0) * (row.ndim - 1) + (0, longest - len(row))) for row in rows]
        stacked: Tensor = torch.stack(rows)
        return stacked

    def _follow(self, device: Any) -> None:  # noqa: ANN401 (torch.device)
        if next(self.model.parameters()).device != device:
            self.model.to(device)


def row_keys(batch: Mapping[str, "Tensor"]) -> list[bytes]:
    """Return a key for each row: its token ids and types, without the padding."""
    lengths = batch["attention_mask"].sum(dim=1).tolist()
    ids, types = (batch[name].cpu().numpy() for name in ("input_ids", "token_type_ids"))
    return [
        ids[row, :length].tobytes() + types[row, :length].tobytes()
        for row, length in enumerate(lengths)
    ]
