"""Steps and evaluations follow from rows, batches and processes; precision from the device."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ernie_triton.errors import TrainingError
from ernie_triton.training.loop import schedule as schedule_module
from ernie_triton.training.loop.schedule import Schedule, resolved_precision


def test_steps_count_the_last_and_smaller_batch() -> None:
    schedule = Schedule(epochs=3, batch_size=16)
    assert (schedule.steps_per_epoch(33), schedule.steps(33)) == (3, 9)
    assert Schedule(epochs=3, batch_size=16, max_steps=4).steps(33) == 4


def test_processes_and_accumulated_batches_share_the_rows() -> None:
    schedule = Schedule(batch_size=4, accumulation_steps=2)
    # 10 rows are 3 batches, 2 for each of 2 processes, so 1 step of 2.
    assert (schedule.steps_per_epoch(10, 2), schedule.steps_per_epoch(10)) == (1, 2)


def test_evaluations_are_spread_over_the_epoch_and_end_it() -> None:
    schedule = Schedule(epochs=2, batch_size=1, evaluations_per_epoch=3)
    found = [step for step in range(1, 15) if schedule.evaluates_after(step, 7)]
    assert found == [3, 5, 7, 10, 12, 14]
    often = Schedule(epochs=1, batch_size=1, evaluations_per_epoch=99)
    assert [step for step in range(1, 4) if often.evaluates_after(step, 3)] == [1, 2, 3]
    assert Schedule(batch_size=1, max_steps=5).evaluates_after(5, 7)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("warmup_share", 1.0),
        ("weight_decay", -1.0),
        ("label_smoothing", -0.1),
        ("early_stopping", -1),
        ("precision", "int8"),
    ],
)
def test_a_value_of_no_use_is_named(name: str, value: Any) -> None:
    with pytest.raises(TrainingError, match=f"{name} is .*; expected"):
        Schedule(**{name: value})


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [("fpu avx512f avx512_bf16", "bf16"), ("fpu amx_bf16", "bf16"), ("fpu avx512f", "fp32")],
)
def test_a_cpu_with_bfloat16_instructions_uses_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, wanted: str
) -> None:
    facts = tmp_path / "cpuinfo"
    facts.write_text(f"processor\t: 0\nflags\t\t: {flags}\n", encoding="utf-8")
    monkeypatch.setattr(schedule_module, "_CPU_FACTS", facts)
    assert resolved_precision("auto") == wanted
    monkeypatch.setattr(schedule_module, "_CPU_FACTS", tmp_path / "absent")
    assert resolved_precision("auto") == "fp32"


@pytest.mark.parametrize(("has_bf16", "wanted"), [(True, "bf16"), (False, "fp16")])
def test_a_gpu_computes_in_half(
    monkeypatch: pytest.MonkeyPatch, has_bf16: bool, wanted: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has_bf16)
    assert resolved_precision("auto") == wanted
    assert resolved_precision("fp16") == "fp16"
    if not has_bf16:
        with pytest.raises(TrainingError, match="has no bfloat16"):
            resolved_precision("bf16")


def test_half_precision_on_a_cpu_is_refused() -> None:
    assert resolved_precision("bf16") == "bf16"
    with pytest.raises(TrainingError, match="fp16 needs a GPU"):
        resolved_precision("fp16")
