"""The wheel alone, in an environment of its own: build, serve and ask, far from a clone."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.environments import entries_of, new_environment
from tests.paths import ROOT, SAMPLES

pytestmark = pytest.mark.live

EXTRAS = "server,build,client"
WHEEL_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "ernie_triton")
DEADLINE_S = 120
TEXT = "国足客场2:1逆转取胜"

PROGRAM = f"""
import sys
from ernie_triton.client import SeqClsClient

with SeqClsClient(sys.argv[1], "my_news") as client:
    (answer,) = client.classify(["{TEXT}"])
print(answer.best.name)
"""


def run(*command: str | Path, folder: Path, **variables: str) -> str:
    environment = {key: os.environ[key] for key in ("HOME", "LANG", "LC_ALL") if key in os.environ}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**environment, "PATH": os.environ["PATH"], **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment with the wheel and the packages that it asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    sources.mkdir()
    for name in WHEEL_SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, sources / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, sources / name)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    wheel = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder / "dist", sources)
    run(*pip, *wheel, folder=folder)
    (path,) = (folder / "dist").glob("ernie_triton-*.whl")
    python = new_environment(folder, entries_of(f"ernie-triton[{EXTRAS}]", "pip"))
    own = (python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-index")
    run(*own, f"ernie-triton[{EXTRAS}] @ file://{path}", folder=folder)
    return python.parent


@pytest.fixture(scope="module")
def url(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server that the installed command runs, on what it built itself."""
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(SAMPLES / "checkpoints" / "tnews", folder / "tnews")
    command = installed / "ernie-triton"
    run(command, "build", "tnews", "--name", "my_news", folder=folder)
    ports = ("--grpc-port", "0", "--metrics-port", "0")
    with subprocess.Popen(
        [command, "serve", "--repository", "model_repository", *ports],
        cwd=folder,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("ready: gRPC "), line
            yield line.split()[2].rstrip(",")
        finally:
            process.send_signal(signal.SIGTERM)


def test_no_package_of_another_extra_is_there(installed: Path, tmp_path: Path) -> None:
    found = run(
        installed / "python3",
        "-c",
        "from importlib.util import find_spec; print(*map(find_spec, "
        "('torch', 'transformers', 'matplotlib', 'pytest', 'clients', 'build_scripts')))",
        folder=tmp_path,
    )
    assert set(found.split()) == {"None"}


def test_the_command_line_is_answered(installed: Path, url: str, tmp_path: Path) -> None:
    asked = ("ask", "seq_cls", "--url", url, "--model", "my_news", "--text", TEXT)
    assert "news_sports" in run(installed / "ernie-triton", *asked, folder=tmp_path)


def test_a_program_is_answered(installed: Path, url: str, tmp_path: Path) -> None:
    found = run(installed / "python3", "-c", PROGRAM, url, folder=tmp_path)
    assert found.strip() == "news_sports"
