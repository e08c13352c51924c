"""`python -m ernie_triton serve`: ready, failing, crashing and stopping as a user sees it."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.errors import QueueFullError
from ernie_triton.server.builds.recording import accept_build
from tests.conftest import build_sample
from tests.paths import ROOT

pytestmark = pytest.mark.live

FREE_PORTS = ("--grpc-port", "0", "--metrics-port", "0")
DEADLINE_S = 120


@contextmanager
def serving(
    repository: Path, *options: str, limit_bytes: int | None = None, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, stopped whatever happens.

    Args:
        repository: to serve.
        options: of the command.
        limit_bytes: no file that it writes can be longer.
        variables: of its environment.
    """

    command = [sys.executable, "-m", "ernie_triton", "serve", "--repository", str(repository)]
    process = subprocess.Popen(
        [*command, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, **variables},
    )
    # Not by a function in the child: a fork beside threads of gRPC may crash.
    if limit_bytes is not None:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=DEADLINE_S)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def ready_line(process: subprocess.Popen[str]) -> str:
    """The first line on stdout; why there is none is the failure's message."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=DEADLINE_S)[1]
    return line


def descendants(pid: int) -> list[int]:
    """Process ids below a process, by Linux's own account."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def failing(
    repository: Path, *options: str, limit_bytes: int | None = None, **variables: str
) -> str:
    """The one line on stderr of a serve that does not start."""
    with serving(
        repository, *FREE_PORTS, *options, limit_bytes=limit_bytes, **variables
    ) as process:
        output, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert not output
    (line,) = errors.splitlines()
    return line


def test_the_ready_line_comes_when_questions_are_answered_and_ctrl_c_leaves_nothing(
    repository: Path,
) -> None:
    with serving(repository, *FREE_PORTS, "--model", "ernie_seqcls") as process:
        line = ready_line(process)
        assert line.startswith("ready: gRPC 127.0.0.1:")
        assert line.rstrip().endswith("; models: ernie_seqcls")
        url = line.split("gRPC ")[1].split(",")[0]
        with SeqClsClient(url) as client:
            assert client.classify(["你好"])[0].best.name
        below = descendants(process.pid)
        assert len(below) >= 4  # the server and three stages
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=15)
    assert process.returncode == 0
    assert errors == "stopped\n"
    assert not [pid for pid in below if is_alive(pid)]


def test_a_model_that_cannot_be_loaded_gives_its_reason_in_one_line(
    repository: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "models"
    for folder in (*repository.glob("ernie_seqcls*"), *repository.glob("tnews_padded*")):
        shutil.copytree(folder, broken / folder.name)
    (broken / "ernie_seqcls_tokenizer" / "1" / "vocab.txt").unlink()
    (broken / "tnews_padded_engine" / "1" / "model.onnx").write_bytes(b"no graph")
    for name in ("ernie_seqcls", "tnews_padded"):
        accept_build(broken, name)
    line = failing(broken)
    assert line.startswith("error: the server did not start: ")
    assert "model ernie_seqcls_tokenizer: the vocabulary" in line
    assert "model tnews_padded_engine: ONNX Runtime cannot load" in line


def test_a_label_count_that_differs_from_the_engines_stops_the_start(
    repository: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "models"
    for part in ("", "_tokenizer", "_engine", "_postprocess"):
        shutil.copytree(repository / f"ernie_seqcls{part}", broken / f"ernie_seqcls{part}")
    labels = broken / "ernie_seqcls_postprocess" / "labels.txt"
    labels.write_text("".join(labels.read_text("utf-8").splitlines(keepends=True)[:-1]), "utf-8")
    accept_build(broken, "ernie_seqcls")
    line = failing(broken)
    assert "14 label names" in line


def test_a_damaged_pipeline_is_refused_and_the_others_are_served(
    repository: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "models"
    shutil.copytree(repository, broken)
    weights = broken / "ernie_seqcls_engine" / "1" / "model.bin"
    shutil.copyfile(repository / "tnews_bf16_engine" / "1" / "model.bin", weights)
    line = failing(broken)
    assert line.startswith(f"error: the pipeline ernie_seqcls is not served: {weights} is damaged")
    assert f"ernie-triton verify --repository {broken} --accept ernie_seqcls" in line
    with serving(broken, "--model", "tnews_bf16", *FREE_PORTS) as process:
        assert ready_line(process).startswith("ready: ")


def test_a_missing_model_and_an_empty_repository_say_so(repository: Path, tmp_path: Path) -> None:
    assert "model nosuch: model not found" in failing(repository, "--model", "nosuch")
    assert "has no models" in failing(tmp_path)


def test_a_stage_without_its_program_is_named_at_once(repository: Path, tmp_path: Path) -> None:
    broken = tmp_path / "models"
    for part in ("", "_tokenizer", "_engine", "_postprocess"):
        shutil.copytree(repository / f"ernie_seqcls{part}", broken / f"ernie_seqcls{part}")
    program = broken / "ernie_seqcls_tokenizer/1/model.py"
    program.unlink()
    accept_build(broken, "ernie_seqcls")
    assert f"{program} is missing; build the pipeline again" in failing(broken)


def test_numpy_2_is_named_with_its_remedy(repository: Path, tmp_path: Path) -> None:
    facts = tmp_path / "numpy-2.1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 2.1.0\n")
    line = failing(repository, "--model", "ernie_seqcls", PYTHONPATH=str(tmp_path))
    assert "numpy 2.1.0 is installed" in line
    assert "pip install 'numpy>=1.26,<2'" in line


def test_a_disk_that_is_full_is_one_line(repository: Path, tmp_path: Path) -> None:
    line = failing(repository, "--model", "ernie_seqcls", limit_bytes=4096, TMPDIR=str(tmp_path))
    assert "cannot be copied to" in line
    assert "set TMPDIR to a folder with room" in line
    assert list(tmp_path.glob("ernie-triton-*")) == []


def test_a_port_in_use_is_named(repository: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with serving(
            repository,
            "--model",
            "ernie_seqcls",
            "--grpc-port",
            port,
            "--metrics-port",
            "0",
        ) as process:
            _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert port in errors


def test_a_full_queue_refuses_instead_of_growing(tmp_path: Path) -> None:
    repository = tmp_path / "models"
    build_sample("tnews.toml", repository, "--max-queue-size", "1", "--max-batch-size", "1")
    with serving(repository, *FREE_PORTS) as process:
        url = ready_line(process).split("gRPC ")[1].split(",")[0]
        assert refused_of(url, 200) > 0
        cancel_at_once(url, 300)
        # Triton's own bound crashed it here within two rounds, or the next waited for 30 s.
        with SeqClsClient(url) as client:
            assert client.classify(["你好"])[0].best.name
        assert process.poll() is None


def cancel_at_once(url: str, count: int) -> None:
    """Send so many requests, and give all of them up a moment later."""
    import asyncio

    from ernie_triton.client.tasks.seq_cls import AsyncSeqClsClient

    async def ask() -> None:
        async with AsyncSeqClsClient(url, retries=0, timeout_s=60) as client:
            asked = [asyncio.ensure_future(client.classify(["数" * 120])) for _ in range(count)]
            await asyncio.sleep(0.2)
            for one in asked:
                one.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    asyncio.run(ask())


def refused_of(url: str, count: int) -> int:
    """How many of so many requests at once are refused for a full queue."""
    import asyncio

    from ernie_triton.client.tasks.seq_cls import AsyncSeqClsClient

    async def ask() -> int:
        async with AsyncSeqClsClient(url, retries=0, timeout_s=60) as client:
            asked = [client.classify(["数" * 120]) for _ in range(count)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, QueueFullError)]
        answered = [answer for answer in answers if isinstance(answer, list)]
        assert len(refused) + len(answered) == count
        return len(refused)

    start = time.monotonic()
    refused = asyncio.run(ask())
    assert time.monotonic() - start < DEADLINE_S
    return refused
