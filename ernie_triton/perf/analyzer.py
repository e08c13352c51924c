"""The real perf_analyzer: the wheel's, or that of an SDK container.

tritonclient's wheel installs it beside this Python; a container has it on the PATH. Two of the
shared libraries that the wheel's 2.51.0 wants are in the server's wheel, under names with hashes;
they are linked under their plain names in a folder of their own.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import AnalyzerError, MissingExtraError, ServerError
from ernie_triton.server.wheel import find_wheel

_NAME = "perf_analyzer"
_LIBRARIES = {"libb64.so.0d": "libb64-*.so.0d", "libcudart.so.12": "libcudart-*.so.12*"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzerRun:
    """What to ask perf_analyzer for; `options` are its own, passed as they are."""

    url: str
    model: str
    columns: Mapping[str, Sequence[str]]
    options: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzerCommand:
    """A run ready to start: the command, its environment, and a folder for its files."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path


def run_analyzer(run: AnalyzerRun) -> int:
    """Drive a model with texts; perf_analyzer writes its table to this process's stdout.

    Returns:
        Its exit code.

    Raises:
        MissingExtraError: perf_analyzer, or the wheel with its libraries, is not installed.
    """
    with prepared(run) as command:
        environment = dict(command.environment)
        return subprocess.run(command.arguments, env=environment, check=False).returncode


@contextmanager
def prepared(run: AnalyzerRun) -> Iterator[AnalyzerCommand]:
    """The command of a run; its folder is gone afterwards.

    Raises:
        MissingExtraError: perf_analyzer, or the wheel with its libraries, is not installed.
    """
    program = find_analyzer()
    with tempfile.TemporaryDirectory(prefix="ernie-triton-perf-") as scratch:
        folder = Path(scratch)
        data = folder / "texts.json"
        data.write_text(input_data(run.columns), encoding="utf-8")
        command = (str(program), "-m", run.model, "-u", run.url, "-i", "grpc")
        yield AnalyzerCommand(
            arguments=(*command, "--input-data", str(data), *run.options),
            environment=_environment(program, folder / "lib"),
            folder=folder,
        )


def find_analyzer() -> Path:
    """The program: beside this Python, otherwise on the PATH.

    Raises:
        MissingExtraError: there is none.
    """
    beside = Path(sys.executable).parent / _NAME
    if beside.is_file():
        return beside
    found = shutil.which(_NAME)
    if found is None:
        raise MissingExtraError("tritonclient", "client", _NAME)
    return Path(found)


def analyzer_version() -> str:
    """What `perf_analyzer --version` says.

    Raises:
        MissingExtraError: perf_analyzer, or the wheel with its libraries, is not installed.
        AnalyzerError: it does not run here.
    """
    program = find_analyzer()
    with tempfile.TemporaryDirectory(prefix="ernie-triton-perf-") as scratch:
        done = subprocess.run(
            [str(program), "--version"],
            env=_environment(program, Path(scratch) / "lib"),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    # 2.51.0 tells it on stderr.
    said = (done.stdout + done.stderr).strip().splitlines() or ["no reason given"]
    if done.returncode:
        raise AnalyzerError(f"{program} does not run here: {said[-1]}")
    return said[0].removeprefix("Perf Analyzer Version ").partition(" (commit unknown)")[0]


def input_data(columns: Mapping[str, Sequence[str]]) -> str:
    """perf_analyzer's input file: one entry a request, in turn, each value of shape [1]."""
    rows = zip(*columns.values(), strict=True)
    entries = [{name: [text] for name, text in zip(columns, row, strict=True)} for row in rows]
    return json.dumps({"data": entries}, ensure_ascii=False)


def _environment(program: Path, folder: Path) -> dict[str, str]:
    """An environment in which the wheel's program finds its libraries, linked into a new folder."""
    environment = dict(os.environ)
    if program.parent != Path(sys.executable).parent:
        return environment
    wheel = find_wheel().libraries
    folder.mkdir()
    for plain, hashed in _LIBRARIES.items():
        found = sorted(wheel.glob(hashed))
        if not found:
            raise ServerError(f"{wheel} has no {hashed}, which perf_analyzer needs as {plain}")
        (folder / plain).symlink_to(found[0])
    inherited = environment.get("LD_LIBRARY_PATH")
    environment["LD_LIBRARY_PATH"] = f"{folder}:{inherited}" if inherited else str(folder)
    return environment
