"""The processor of this machine: its name, and what it can compute natively."""

import re
from collections.abc import Iterable
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_NAMES = re.compile(r"^(?:flags|Features)\s*:(.*)$", re.MULTILINE)

_DECIDING = (
    *("avx2", "avx512f", "avx_vnni", "avx_vnni_int8", "avx512_vnni"),
    *("avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"),
    *("asimd", "asimddp", "i8mm", "bf16", "sve", "sve2", "svei8mm", "svebf16"),
)
"""Instruction sets of x86-64 and of ARM that decide how products of INT8 and BF16 are computed."""

_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16", "svebf16"})
_INT8 = frozenset({"avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm", "svei8mm"})


def instruction_sets() -> tuple[str, ...]:
    """The instruction sets of this machine that decide how INT8 and BF16 are computed.

    By the names of Linux, like `avx512_vnni`; empty where Linux gives none.
    """
    if not _CPUINFO.is_file():
        return ()
    found = _NAMES.search(_CPUINFO.read_text(encoding="utf-8"))
    names = frozenset(found[1].split()) if found else frozenset()
    return tuple(name for name in _DECIDING if name in names)


def has_bfloat16(instructions: Iterable[str]) -> bool:
    """Return True for a processor with these instruction sets that multiplies BF16 natively."""
    return not _BFLOAT16.isdisjoint(instructions)


def has_int8_products(instructions: Iterable[str]) -> bool:
    """Return True for a processor with these instruction sets that multiplies INT8 natively."""
    return not _INT8.isdisjoint(instructions)


def processor_name() -> str:
    """The processor's name as Linux gives it; empty where it gives none."""
    if _CPUINFO.is_file():
        for line in _CPUINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return ""
