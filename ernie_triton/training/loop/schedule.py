"""Hyper-parameters of a training, and the precision that a device trains in."""

import math
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import TrainingError

TRAINING_PRECISIONS = ("auto", "fp32", "bf16", "fp16")

_CPU_FACTS = Path("/proc/cpuinfo")
_CPU_FLAGS = ("avx512_bf16", "amx_bf16")
"""With one of these flags a step in bfloat16 takes a third to a half of the time in float32;
without, it takes more (AMD EPYC, one core, PyTorch 2.13, two layers, hidden 312 and 768)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The hyper-parameters of one training.

    The optimizer is AdamW; norms and biases do not decay. The learning rate rises linearly over
    `warmup_share` of the steps, then falls linearly to 0.

    Attributes:
        epochs: passes over the training rows.
        batch_size: rows of one batch on one device.
        learning_rate: the highest, after the warm-up.
        warmup_share: share of the steps, 0 to 1.
        weight_decay: AdamW's.
        max_gradient_norm: longer gradients are scaled down to it; 0 for no limit.
        seed: decides the order of the rows and the dropout.
        label_smoothing: share of a label's probability that is spread over all labels.
        early_stopping: end after this many evaluations without progress; 0 for never.
        evaluations_per_epoch: evaluations on the development set.
        precision: one of `TRAINING_PRECISIONS`; `auto` is the fastest that the device has.
        accumulation_steps: batches whose gradients make one step.
        max_steps: end after this many steps, whatever `epochs` is; 0 for no limit.
        keep_best: keep the weights of the best evaluation, else the last ones.
    """

    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 3e-5
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    max_gradient_norm: float = 1.0
    seed: int = 42
    label_smoothing: float = 0.0
    early_stopping: int = 0
    evaluations_per_epoch: int = 1
    precision: str = "auto"
    accumulation_steps: int = 1
    max_steps: int = 0
    keep_best: bool = True

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "evaluations_per_epoch", "accumulation_steps"):
            _check(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        for name in ("weight_decay", "max_gradient_norm", "seed", "early_stopping", "max_steps"):
            _check(name, getattr(self, name), getattr(self, name) >= 0, "at least 0")
        for name in ("warmup_share", "label_smoothing"):
            _check(name, getattr(self, name), 0 <= getattr(self, name) < 1, "0 to below 1")
        rate = self.learning_rate
        _check("learning_rate", rate, math.isfinite(rate) and rate > 0, "above 0")
        known = self.precision in TRAINING_PRECISIONS
        _check("precision", self.precision, known, f"one of {', '.join(TRAINING_PRECISIONS)}")

    def steps_per_epoch(self, rows: int, processes: int = 1) -> int:
        """Count the optimizer steps of one epoch, a smaller last batch included."""
        batches = math.ceil(rows / self.batch_size)
        return math.ceil(math.ceil(batches / processes) / self.accumulation_steps)

    def steps(self, rows: int, processes: int = 1) -> int:
        """Count all optimizer steps."""
        return self.max_steps or self.epochs * self.steps_per_epoch(rows, processes)

    def evaluates_after(self, step: int, rows: int, processes: int = 1) -> bool:
        """Tell if an evaluation follows a step, counted from 1."""
        per_epoch = self.steps_per_epoch(rows, processes)
        if step == self.steps(rows, processes):
            return True
        count = min(self.evaluations_per_epoch, per_epoch)
        place = (step - 1) % per_epoch + 1
        return place in {math.ceil(per_epoch * part / count) for part in range(1, count + 1)}


def _check(name: str, value: object, holds: bool, expected: str) -> None:
    if not holds:
        raise TrainingError(f"{name} is {value!r}; expected {expected}")


def resolved_precision(wanted: str) -> str:
    """Return `fp32`, `bf16` or `fp16`: as wanted, or for `auto` the device's fastest.

    Raises:
        TrainingError: the device lacks the wanted precision.
    """
    import torch

    has_gpu = torch.cuda.is_available()
    # Emulated bfloat16 is slower than float32.
    has_bf16 = has_gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    if wanted == "auto":
        if has_gpu:
            return "bf16" if has_bf16 else "fp16"
        return "bf16" if _cpu_has_bf16() else "fp32"
    if wanted == "fp16" and not has_gpu:
        raise TrainingError("precision fp16 needs a GPU, and there is none; use bf16 or fp32")
    if wanted == "bf16" and has_gpu and not has_bf16:
        raise TrainingError("the GPU has no bfloat16; use precision fp16 or fp32")
    return wanted


def _cpu_has_bf16() -> bool:
    try:
        facts = _CPU_FACTS.read_text(encoding="utf-8")
    except OSError:
        return False
    flags = next((line for line in facts.splitlines() if line.startswith("flags")), "")
    return any(flag in flags.split() for flag in _CPU_FLAGS)
