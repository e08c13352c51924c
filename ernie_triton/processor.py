"""The processor that figures were taken on."""

from pathlib import Path


def processor_name() -> str:
    """The processor's name as Linux gives it; empty where it gives none."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return ""
