"""A training computes in what its device is fast in."""

from pathlib import Path

import pytest
import torch

from ernie_triton.errors import TrainingError
from ernie_triton.training.loop import precision
from ernie_triton.training.loop.precision import resolved_precision


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
    monkeypatch.setattr(precision, "_CPU_FACTS", facts)
    assert resolved_precision("auto") == wanted
    monkeypatch.setattr(precision, "_CPU_FACTS", tmp_path / "absent")
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
