"""A tiny model of random weights with everything that is compared, and one server for all."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ernie_triton.cli import main as build_scripts
from ernie_triton.perf.baseline.repository import write_baseline
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


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Built by the real commands; not to be changed."""
    folder = tmp_path_factory.mktemp("tiny")
    made = Tiny(checkpoint=folder / "checkpoint", repository=folder / "repository")
    assert build_scripts(["random", *SIZES, "--exported", "--output", str(made.checkpoint)]) == 0
    options = ["--task", "seq_cls", "--repository", str(made.repository), "--name", made.pipeline]
    built = ["build", "--checkpoint", str(made.checkpoint), "--no-joined", *options]
    assert build_scripts(built) == 0
    write_baseline(made.checkpoint, made.repository, made.baseline)
    return made


@pytest.fixture(scope="session")
def tiny_server(tiny: Tiny) -> Iterator[EmbeddedServer]:
    """The embedded server on both."""
    with EmbeddedServer(options_for(tiny.repository)) as running:
        yield running
