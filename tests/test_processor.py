"""The abilities of a processor are read from what Linux says of it."""

from pathlib import Path

import pytest

from ernie_triton import processor
from ernie_triton.processor import (
    has_bfloat16,
    has_int8_products,
    instruction_sets,
    processor_name,
)

X86 = """processor\t: 0
model name\t: A processor
flags\t\t: fpu amx_bf16 avx512_vnni sse2 avx2 avx512f
processor\t: 1
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm bf16\n"


@pytest.mark.parametrize(
    ("text", "found", "native"),
    [
        (X86, ("avx2", "avx512f", "avx512_vnni", "amx_bf16"), (True, True)),
        (ARM, ("asimd", "asimddp", "i8mm", "bf16"), (True, True)),
        ("flags : fpu avx_vnni avx2\n", ("avx2", "avx_vnni"), (False, True)),
        ("flags : fpu avx2\n", ("avx2",), (False, False)),
        ("", (), (False, False)),
    ],
)
def test_instruction_sets_have_linux_s_names_in_one_order(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    found: tuple[str, ...],
    native: tuple[bool, bool],
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(processor, "_CPUINFO", path)
    assert instruction_sets() == found
    assert (has_bfloat16(found), has_int8_products(found)) == native
    assert processor_name() == ("A processor" if text == X86 else "")


def test_a_system_that_does_not_say_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    assert (instruction_sets(), processor_name()) == ((), "")
