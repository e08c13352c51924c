"""Shared by all tests: the command in this process, a model, and one real server."""

import dataclasses
import fcntl
import gc
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.remote import Producer

from ernie_triton.build import flow
from ernie_triton.build.check import speed
from ernie_triton.build.inputs import BuildInputs
from ernie_triton.build.progress import StepReporter
from ernie_triton.cli import main as ernie_triton
from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.options import ServerOptions
from tests.commands import Outcome, Run
from tests.paths import FIXTURES, ROOT
from tests.scheduling import FoldersTogether, longest_first


def pytest_configure() -> None:
    """Let Ctrl-C end what tests start: a shell's background jobs inherit that it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the folders for several processes; within a folder the order stays."""
    items.sort(key=lambda item: longest_first(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FoldersTogether:
    """Share the tests by folders, where `--numprocesses` is given."""
    return FoldersTogether(config, log)


def pytest_collection_finish() -> None:
    """Spare garbage collections what is imported by now: torch, transformers and all the tests."""
    gc.freeze()


def build_sample(pipeline: str, repository: Path, *options: str) -> None:
    """Build one of the committed pipelines into a repository of the test's own."""
    command = ["build", str(ROOT / "pipelines" / pipeline), "--repository", str(repository)]
    assert ernie_triton([*command, *options]) == 0


def options_for(repository: Path, *models: str) -> ServerOptions:
    """Free ports, and every model unless some are named."""
    return ServerOptions(
        repository=repository,
        models=models,
        http_port=0,
        grpc_port=0,
        metrics_port=0,
        startup_timeout_s=120,
    )


@pytest.fixture(scope="session", autouse=True)
def _engines_timed_briefly() -> Iterator[None]:
    """Hundreds of builds time their engine, which takes each of them a second outside tests.

    They take OpenVINO where none is named: a choice by speed would differ from run to run.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed, "_TIMING_S", 0.05)
        patch.setattr(flow, "with_engine_chosen", _with_the_first_engine)
        yield


def _with_the_first_engine(inputs: BuildInputs, _step: StepReporter) -> BuildInputs:
    spec = dataclasses.replace(inputs.spec, engine=inputs.spec.engines[0])
    return dataclasses.replace(inputs, spec=spec)


def _built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], None]) -> Path:
    """A model repository that one of the tests' processes builds for all; not to be changed."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, done = base / name / "model_repository", base / f"{name}.done"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            build(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def sample_pipelines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of the sample pipelines alone, as the committed files say; not to be changed."""

    def build(folder: Path) -> None:
        for pipeline in sorted((ROOT / "pipelines").glob("*.toml")):
            if "tuned" not in pipeline.name:  # what `perf tune` leaves there
                build_sample(pipeline.name, folder)

    return _built_once(tmp_path_factory, "samples", build)


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory, sample_pipelines: Path) -> Path:
    """The sample pipelines, in FP32 and BF16, packed and padded, in both engines."""

    def build(folder: Path) -> None:
        shutil.copytree(sample_pipelines, folder)
        build_sample("tnews.toml", folder, "--name", "tnews_bf16", "--precision", "bf16")
        padded = ("--engine", "onnxruntime", "--layout", "padded")
        build_sample("tnews.toml", folder, "--name", "tnews_padded", *padded)

    return _built_once(tmp_path_factory, "live", build)


@pytest.fixture(scope="session")
def server(repository: Path) -> Iterator[EmbeddedServer]:
    """The embedded server on the sample pipelines."""
    with EmbeddedServer(options_for(repository)) as running:
        yield running


@pytest.fixture
def client(server: EmbeddedServer) -> Iterator[SeqClsClient]:
    """A blocking client of the news classifier."""
    with SeqClsClient(server.url) as connected:
        yield connected


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """`run(*arguments)` is `ernie-triton` in this process; libraries' output counts."""

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = ernie_triton([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Outcome(code=code, stdout=captured.out, stderr=captured.err)

    return run


@pytest.fixture(scope="session")
def ernie() -> Any:
    """An ERNIE classifier long enough for a pipeline's defaults, with logits of about 1."""
    import torch  # here, for the tests that need no model
    import transformers

    from tests.build.models import LABELS, vocabulary_lines

    torch.manual_seed(0)
    config = transformers.ErnieConfig(
        vocab_size=len(vocabulary_lines()),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=40,
        max_position_embeddings=160,
        type_vocab_size=4,
        task_type_vocab_size=3,
        use_task_id=True,
        initializer_range=0.1,
        id2label=dict(enumerate(LABELS)),
    )
    return transformers.ErnieForSequenceClassification(config).train(mode=False)


@pytest.fixture(scope="session")
def paddle_vocab() -> Path:
    """A real `vocab.txt` of some 1,400 tokens."""
    return FIXTURES / "paddle_example" / "vocab.txt"
