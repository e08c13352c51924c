"""The machine that measures, the versions on it, and the state of this project."""

import contextlib
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from ernie_triton.perf.results import Machine
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
_COMMAND_TIMEOUT_S = 10


def this_machine() -> Machine:
    """What this program runs on."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return Machine(
        processor=processor_name() or platform.processor() or platform.machine(),
        cores=psutil.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        system=_system(),
        accelerator=_answer_of("nvidia-smi", "--query-gpu=name", "--format=csv,noheader"),
        versions=versions,
    )


def project_commit() -> str:
    """The commit of this project, with `+` where files were changed; empty outside of git."""
    if not (_PROJECT / "pyproject.toml").is_file():
        return ""
    commit = _answer_of("git", "-C", str(_PROJECT), "rev-parse", "--short=12", "HEAD")
    changed = commit and _answer_of("git", "-C", str(_PROJECT), "status", "--porcelain")
    return f"{commit}+" if changed else commit


def _system() -> str:
    with contextlib.suppress(OSError):
        release = platform.freedesktop_os_release()
        return f"{release['PRETTY_NAME']}, Linux {platform.release()}"
    return platform.platform()


def _answer_of(*command: str) -> str:
    """What a program prints, its first line; empty where it is missing or fails."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", timeout=_COMMAND_TIMEOUT_S, check=True
        )
        return next(iter(done.stdout.splitlines()), "").strip()
    return ""
