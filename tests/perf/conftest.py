"""A tiny model of random weights with everything that is compared, and one server for all."""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ernie_triton.cli import main as build_scripts
from ernie_triton.perf import served_builds
from ernie_triton.perf.baseline import repository as baseline
from ernie_triton.perf.engines import model_cache
from ernie_triton.server.embedded import EmbeddedServer
from tests.conftest import options_for

SIZES = ("--layers", "1", "--hidden", "48", "--labels", "5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiny:
    """A checkpoint, and a repository with `pipeline` (FP32) and `baseline` of it."""

    checkpoint: Path
    repository: Path
    pipeline: str = "tiny"
    baseline: str = "tiny_baseline"


def _build_here(*arguments: str | Path) -> None:
    """Run a command as `run_build` does, without a process that imports torch once more."""
    with contextlib.redirect_stdout(io.StringIO()):
        assert build_scripts([str(word) for word in arguments]) == 0


@pytest.fixture(scope="session", autouse=True)
def _builds_in_this_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (served_builds, model_cache, baseline):
            patch.setattr(module, "run_build", _build_here)
        yield


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Built by the real commands; not to be changed."""
    folder = tmp_path_factory.mktemp("tiny")
    made = Tiny(checkpoint=folder / "checkpoint", repository=folder / "repository")
    assert build_scripts(["random", *SIZES, "--exported", "--output", str(made.checkpoint)]) == 0
    options = ["--task", "seq_cls", "--repository", str(made.repository), "--name", made.pipeline]
    built = ["build", "--checkpoint", str(made.checkpoint), "--no-joined", *options]
    assert build_scripts(built) == 0
    baseline.write_baseline(made.checkpoint, made.repository, made.baseline)
    return made


@pytest.fixture(scope="session")
def tiny_server(tiny: Tiny) -> Iterator[EmbeddedServer]:
    """The embedded server on both."""
    with EmbeddedServer(options_for(tiny.repository)) as running:
        yield running
