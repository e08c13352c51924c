"""The processor of this machine: its name, and what it can compute natively."""

import re
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_BYTE_PRODUCTS = frozenset({"avx512_vnni", "avx_vnni"})


def multiplies_bytes_exactly() -> bool:
    """Return True when products of unsigned and signed bytes are summed in 32 bits (VNNI).

    Without it, x86-64 sums pairs of them in 16 bits, which overflow (`vpmaddubsw`).
    """
    if not _CPUINFO.is_file():
        return False
    flags = re.search(r"^flags\s*:(.*)$", _CPUINFO.read_text(encoding="utf-8"), re.MULTILINE)
    return flags is not None and not _BYTE_PRODUCTS.isdisjoint(flags[1].split())


def processor_name() -> str:
    """The processor's name as Linux gives it; empty where it gives none."""
    if _CPUINFO.is_file():
        for line in _CPUINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return ""
