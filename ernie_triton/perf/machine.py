"""Describe the machine that measures, its precisions, and the state of this project."""

import contextlib
import platform
import subprocess
from collections.abc import Callable, Collection, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from ernie_triton.errors import EngineError
from ernie_triton.perf.results import MachineFacts
from ernie_triton.processor import processor_name

_PACKAGES = (
    "ernie-triton",
    "numpy",
    "tokenizers",
    "openvino",
    "onnxruntime",
    "tritonclient",
    "nvidia-pytriton",
)
_PROJECT = Path(__file__).parents[2]
"""The clone; site-packages where the package is installed from a wheel."""
_COMMAND_TIMEOUT_S = 10


def machine_facts() -> MachineFacts:
    """Describe this machine and the versions of the packages that matter."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return MachineFacts(
        processor=processor_name() or platform.processor() or platform.machine(),
        cores=psutil.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        system=_system(),
        accelerator=_answer_of("nvidia-smi", "--query-gpu=name", "--format=csv,noheader"),
        versions=versions,
    )


def project_commit(project: Path = _PROJECT) -> str:
    """Return this project's commit, with `+` where files were changed; empty outside a clone."""
    if not (project / "pyproject.toml").is_file():
        return ""
    commit = _answer_of("git", "-C", str(project), "rev-parse", "--short=12", "HEAD")
    changed = commit and _answer_of("git", "-C", str(project), "status", "--porcelain")
    return f"{commit}+" if changed else commit


def cpu_precisions() -> frozenset[str]:
    """Return the precisions that OpenVINO computes in on this processor.

    OpenVINO computes in FP32 where BF16 is asked for and the processor has none.
    """
    import openvino

    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return frozenset({"fp32", "int8"} | ({"bf16"} if "BF16" in able else set()))


def available_precisions(
    wanted: Sequence[str], available: Collection[str], progress: Callable[[str], None]
) -> tuple[str, ...]:
    """Leave out the precisions that the processor lacks, with a line for each.

    Args:
        wanted: the precisions to measure.
        available: the precisions of the processor.
        progress: receives the lines.
    """
    for precision in wanted:
        if precision not in available:
            progress(f"{precision} is left out: this processor has no {precision.upper()}")
    return tuple(precision for precision in wanted if precision in available)


def require_precision(precision: str, available: Collection[str]) -> None:
    """Refuse a precision that the processor lacks.

    Raises:
        EngineError: the processor lacks it.
    """
    if precision not in available:
        known = " or ".join(sorted(available))
        raise EngineError(f"this processor has no {precision.upper()}; pass --precision {known}")


def _system() -> str:
    with contextlib.suppress(OSError):
        release = platform.freedesktop_os_release()
        return f"{release['PRETTY_NAME']}, Linux {platform.release()}"
    return platform.platform()


def _answer_of(*command: str) -> str:
    """Return the first line that a program prints; empty where it is missing or fails."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", timeout=_COMMAND_TIMEOUT_S, check=True
        )
        return next(iter(done.stdout.splitlines()), "").strip()
    return ""
