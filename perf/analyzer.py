"""The real perf_analyzer 2.51.0, which tritonclient's wheel installs beside this Python.

Two of the shared libraries that it wants are in the server's wheel, under names with hashes; they
are linked under their plain names in a folder of their own.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import MissingExtraError, ServerError
from ernie_triton.wheel import find_wheel

_LIBRARIES = {"libb64.so.0d": "libb64-*.so.0d", "libcudart.so.12": "libcudart-*.so.12*"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzerRun:
    """What to ask perf_analyzer for; `options` are its own, passed as they are."""

    url: str
    model: str
    columns: Mapping[str, Sequence[str]]
    options: Sequence[str]


def run_analyzer(run: AnalyzerRun) -> int:
    """Drive a model with texts; perf_analyzer writes its table to this process's stdout.

    Returns:
        Its exit code.

    Raises:
        MissingExtraError: perf_analyzer, or the wheel with its libraries, is not installed.
    """
    program = Path(sys.executable).parent / "perf_analyzer"
    if not program.is_file():
        raise MissingExtraError("tritonclient", "client", "perf_analyzer")
    with tempfile.TemporaryDirectory(prefix="ernie-triton-perf-") as scratch:
        data = Path(scratch) / "texts.json"
        data.write_text(input_data(run.columns), encoding="utf-8")
        command = [str(program), "-m", run.model, "-u", run.url, "-i", "grpc"]
        command += ["--input-data", str(data), *run.options]
        environment = _environment(Path(scratch) / "lib")
        return subprocess.run(command, env=environment, check=False).returncode


def input_data(columns: Mapping[str, Sequence[str]]) -> str:
    """perf_analyzer's input file: one entry a request, in turn, each value of shape [1]."""
    rows = zip(*columns.values(), strict=True)
    entries = [{name: [text] for name, text in zip(columns, row, strict=True)} for row in rows]
    return json.dumps({"data": entries}, ensure_ascii=False)


def _environment(folder: Path) -> dict[str, str]:
    """An environment in which perf_analyzer finds its libraries, linked into a new folder."""
    wheel = find_wheel().libraries
    folder.mkdir()
    for plain, hashed in _LIBRARIES.items():
        found = sorted(wheel.glob(hashed))
        if not found:
            raise ServerError(f"{wheel} has no {hashed}, which perf_analyzer needs as {plain}")
        (folder / plain).symlink_to(found[0])
    environment = dict(os.environ)
    inherited = environment.get("LD_LIBRARY_PATH")
    environment["LD_LIBRARY_PATH"] = f"{folder}:{inherited}" if inherited else str(folder)
    return environment
