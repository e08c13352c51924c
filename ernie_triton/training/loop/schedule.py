"""How long, how fast and how exactly to train."""

import math
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import TrainingError

TRAINING_PRECISIONS = ("auto", "fp32", "bf16", "fp16")

_CPU_FACTS = Path("/proc/cpuinfo")
_CPU_FLAGS = ("avx512_bf16", "amx_bf16")
"""With these a step in bfloat16 takes a third to a half of one in float32; without, it takes more.
Measured on an AMD EPYC with AVX512-BF16, one core, PyTorch 2.13, two layers of 312 and 768."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The hyper-parameters of one training.

    The learning rate rises in a straight line over `warmup_share` of the steps, then falls to 0 in
    another. AdamW; norms and biases do not decay.

    Attributes:
        epochs: passes over the training rows.
        batch_size: rows of one step on one device.
        learning_rate: the highest.
        warmup_share: part of the steps, 0 to 1.
        weight_decay: AdamW's.
        max_gradient_norm: longer gradients are shortened to it; 0 leaves them.
        seed: decides the order of the rows and the dropout.
        label_smoothing: the share of a label's probability that is spread over all labels.
        early_stopping: evaluations without progress after which training ends; 0 for never.
        evaluations_per_epoch: how often the development set is measured.
        precision: one of `TRAINING_PRECISIONS`; `auto` is the fastest that the device has.
        accumulation_steps: batches whose gradients are added up for one step.
        max_steps: end after so many steps, whatever the epochs say; 0 for no such end.
        keep_best: end with the weights of the best evaluation; else with the last ones.
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
        """Optimizer steps of one pass over so many rows, the last and smaller batch included."""
        batches = math.ceil(rows / self.batch_size)
        return math.ceil(math.ceil(batches / processes) / self.accumulation_steps)

    def steps(self, rows: int, processes: int = 1) -> int:
        """All optimizer steps."""
        return self.max_steps or self.epochs * self.steps_per_epoch(rows, processes)

    def evaluates_after(self, step: int, rows: int, processes: int = 1) -> bool:
        """Whether the development set is measured after a step, counted from 1."""
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
    """`fp32`, `bf16` or `fp16`: as wanted, or for `auto` what suits the device.

    Raises:
        TrainingError: the device cannot compute in it.
    """
    import torch

    has_gpu = torch.cuda.is_available()
    # Emulated bfloat16 is slower than what it stands for.
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
