"""Every command of the guides runs, against a real server where it asks one."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

import ernie_triton.cli
import samples.cli
from ernie_triton.server.embedded import EmbeddedServer
from tests.commands import command as command_of
from tests.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
MEASURING = (ROOT / "perf" / "README.md").read_text(encoding="utf-8")
TRAINING = (ROOT / "build_scripts" / "README.md").read_text(encoding="utf-8")


def commands_of(text: str) -> list[str]:
    """The lines of a guide's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


COMMANDS = commands_of(README)
PYTHON_BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

MAKE = {"make demo", "make test"}
"""Run by `.ci/run` itself."""

SERVE = "python -m ernie_triton serve --repository model_repository"
"""Run by tests/live/test_serve.py, which stops it again."""

BENCHMARK = "python -m build_scripts benchmark"
"""Exports two models of the family with torch: minutes; tests/build_scripts has a small one."""

WITH_A_GPU = {
    "python -m build_scripts engine --repository model_repository",
    "python -m ernie_triton check-plans --repository model_repository",
}
"""Without a GPU each says so in one line."""

MINUTES = ("goals", "scaling", "tune")
"""Commands of perf that take minutes even with `--quick`; tests/perf runs their parts."""


ONE_EPOCH = ["--epochs", "1"]
ANY_LOSS = ["--allowed-loss", "100", "--qat", "never"]
SMALL = {
    "generate": ["--train", "400", "--dev", "100"],
    "base": ["--layers", "2", "--hidden", "32", "--heads", "4"],
    "seq_cls": ONE_EPOCH,
    "prune": ONE_EPOCH,
    "distil": ONE_EPOCH,
    "quantize": ANY_LOSS,
    "compress": [*ONE_EPOCH, *ANY_LOSS, "--only", "int8,report", "--quick"],
    "random": ["--layers", "1", "--hidden", "48"],
}
"""What makes a command of the training guide quick, by its first argument."""


PROGRAMS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "build_scripts": ernie_triton.cli.main,
    "build_scripts.finetune": command_of("finetune"),
    "samples": samples.cli.main,
}
"""What `python -m` starts."""


def test_the_readme_has_commands() -> None:
    assert set(COMMANDS) >= MAKE
    assert SERVE in COMMANDS
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert set(ci) >= MAKE


@pytest.mark.live
@pytest.mark.parametrize(
    "command",
    [
        command
        for command in COMMANDS
        if command not in MAKE | WITH_A_GPU | {SERVE} and not command.startswith(BENCHMARK)
    ],
)
def test_a_command_of_the_readme_runs(command: str, server: EmbeddedServer, tmp_path: Path) -> None:
    words = shlex.split(
        command.replace("localhost:8001", server.url)
        .replace("model_repository", str(tmp_path / "model_repository"))
        .replace("answers.jsonl", str(tmp_path / "answers.jsonl"))
        .replace("vectors.npy", str(tmp_path / "vectors.npy"))
    )
    if any(word.startswith("pipelines/") for word in words):
        words += ["--repository", str(tmp_path / "model_repository")]
    done = run(words)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run one command of a guide with this Python."""
    assert words[0] == "python"
    return subprocess.run(
        [sys.executable, *words[1:]], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )


@pytest.mark.parametrize("command", sorted(WITH_A_GPU))
def test_a_command_for_a_gpu_says_in_one_line_what_is_missing(command: str, tmp_path: Path) -> None:
    repository = str(tmp_path / "model_repository")
    build = "python -m build_scripts build pipelines/tnews.toml --engine tensorrt --no-plan"
    built = run([*build.split(), "--precision", "fp16", "--repository", repository])
    assert built.returncode == 0, built.stderr
    assert command in COMMANDS
    done = run(command.replace("model_repository", repository).split())
    assert done.returncode == 1
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "error" in line]
    assert len(lines) == 1


@pytest.mark.live
def test_the_commands_of_the_measuring_guide_run_in_their_order(
    server: EmbeddedServer, repository: Path, tmp_path: Path
) -> None:
    commands = commands_of(MEASURING)
    assert len(commands) == 11
    for command in commands:
        words = shlex.split(
            command.replace("build/", f"{tmp_path}/").replace("localhost:8001", server.url)
        )
        if words[2] == "perf" and words[3] in MINUTES:
            continue
        if words[3] == "run":
            words += ["--quick"]
        if words[3] in ("run", "floor"):
            words += ["--repository", str(repository)]
        if words[3] in ("limit", "tokenizer", "compare"):
            words += ["--rounds", "1"]
        done = run(words)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert done.stdout


@pytest.mark.live
def test_the_commands_of_the_training_guide_run_in_their_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = commands_of(TRAINING)
    assert len(commands) == 14
    for command in commands:
        command = command.replace("build/", f"{tmp_path}/").replace("layers=3", "layers=1")
        python, _, program, *words = shlex.split(command)
        assert python == "python"
        # In this process: a new one would spend most of its time importing PyTorch.
        assert PROGRAMS[program]([*words, *SMALL.get(words[0], [])]) == 0, command
        assert capsys.readouterr().out


@pytest.mark.live
@pytest.mark.parametrize("block", PYTHON_BLOCKS)
def test_a_python_block_of_the_readme_runs(block: str, server: EmbeddedServer) -> None:
    code = block.replace("localhost:8001", server.url)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


def test_every_folder_of_the_map_is_there() -> None:
    folders = re.findall(r"^\| `(\w+)/` \|", README, re.MULTILINE)
    assert folders
    assert all((ROOT / folder).is_dir() for folder in folders)
