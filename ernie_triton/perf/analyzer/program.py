"""Find and start the real perf_analyzer, from the wheel or from an SDK container.

tritonclient's wheel installs it beside this Python; a container has it on the PATH. The wheel's
2.51.0 needs two shared libraries that the server's wheel holds under names with hashes. A folder
of its own links them under their plain names.
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
from ernie_triton.perf.analyzer.texts import Columns
from ernie_triton.processes.child_process import run_child
from ernie_triton.server.wheel import find_wheel

_NAME = "perf_analyzer"
_LIBRARIES = {"libb64.so.0d": "libb64-*.so.0d", "libcudart.so.12": "libcudart-*.so.12*"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzerRun:
    """A run of perf_analyzer: the server, the texts, and perf_analyzer's own options."""

    url: str
    model: str
    columns: Columns
    options: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzerCommand:
    """A run that is ready to start: the command, its environment, and a folder for its files."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path


def run_analyzer(run: AnalyzerRun) -> int:
    """Run perf_analyzer; its table goes to stdout.

    Returns:
        Its exit code.

    Raises:
        MissingExtraError: perf_analyzer, or the wheel with its libraries, is not installed.
    """
    with prepared_command(run) as command:
        return run_child(command.arguments, env=command.environment).returncode


@contextmanager
def prepared_command(run: AnalyzerRun) -> Iterator[AnalyzerCommand]:
    """Prepare the command of a run; its folder is removed afterwards.

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
    """Find the program, beside this Python or on the PATH.

    Raises:
        MissingExtraError: it is not installed.
    """
    beside = Path(sys.executable).parent / _NAME
    if beside.is_file():
        return beside
    found = shutil.which(_NAME)
    if found is None:
        raise MissingExtraError("tritonclient", "client", _NAME)
    return Path(found)


def analyzer_version() -> str:
    """Read the version from `perf_analyzer --version`.

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
    # 2.51.0 prints it on stderr.
    said = (done.stdout + done.stderr).strip().splitlines() or ["no reason given"]
    if done.returncode:
        raise AnalyzerError(f"{program} does not run here: {said[-1]}")
    return said[0].removeprefix("Perf Analyzer Version ").partition(" (commit unknown)")[0]


def input_data(columns: Columns) -> str:
    """Write perf_analyzer's input file as JSON: one entry a request, with the shapes of lists."""
    rows = zip(*columns.values(), strict=True)
    entries = [
        {name: _value(texts) for name, texts in zip(columns, row, strict=True)} for row in rows
    ]
    return json.dumps({"data": entries}, ensure_ascii=False)


def _value(texts: tuple[str, ...]) -> object:
    if len(texts) == 1:
        return [*texts]
    return {"content": [*texts], "shape": [len(texts)]}


def _environment(program: Path, folder: Path) -> dict[str, str]:
    """Return the environment for the program, with its libraries linked into a new folder."""
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
