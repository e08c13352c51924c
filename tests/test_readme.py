"""Every command of the README runs, against a real server where it asks one."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ernie_triton.embedded import EmbeddedServer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]
PYTHON_BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

MAKE = {"make demo", "make test"}
"""Run by `.ci/run` itself."""

SERVE = "python -m ernie_triton serve --repository model_repository"
"""Run by tests/live/test_serve.py, which stops it again."""

BENCHMARK = "python -m build_scripts benchmark"
"""Exports two models of the family with torch: minutes; tests/build_scripts has a small one."""


def test_the_readme_has_commands() -> None:
    assert set(COMMANDS) >= MAKE
    assert SERVE in COMMANDS
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert set(ci) >= MAKE


@pytest.mark.live
@pytest.mark.parametrize(
    "command",
    [c for c in COMMANDS if c not in MAKE and c != SERVE and not c.startswith(BENCHMARK)],
)
def test_a_command_of_the_readme_runs(command: str, server: EmbeddedServer, tmp_path: Path) -> None:
    words = shlex.split(
        command.replace("localhost:8001", server.url)
        .replace("model_repository", str(tmp_path / "model_repository"))
        .replace("answers.jsonl", str(tmp_path / "answers.jsonl"))
        .replace("vectors.npy", str(tmp_path / "vectors.npy"))
    )
    if "pipelines/afqmc.toml" in words:
        words += ["--repository", str(tmp_path / "model_repository")]
    assert words[0] == "python"
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


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
