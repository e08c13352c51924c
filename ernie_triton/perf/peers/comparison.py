"""Serve one checkpoint with our server and with each peer, and ask all of them in turn."""

import contextlib
import datetime
import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from ernie_triton.child_process import run_child, running_child
from ernie_triton.client.seq_cls import SeqClsClient
from ernie_triton.errors import AnalyzerError, CheckpointError
from ernie_triton.perf.analyzer.load_test import LoadTest
from ernie_triton.perf.analyzer.text_spec import TextKind
from ernie_triton.perf.analyzer.texts import TITLES, rows_of_kind
from ernie_triton.perf.machine import machine_facts, project_commit
from ernie_triton.perf.peers.finished import OUR_FORMS, PeersRun
from ernie_triton.perf.peers.http_load import HttpEndpoint
from ernie_triton.perf.peers.servers import PEERS
from ernie_triton.perf.results import CONCURRENCY, RequestLoad
from ernie_triton.perf.served_builds import served_builds
from ernie_triton.processor import instruction_sets
from ernie_triton.server.embedded import free_port
from ernie_triton.tokenizer.vocabulary import VOCABULARY_FILE

_GRAPH_FILE = "fused.onnx"
_SERVERS = Path(__file__).parent / "servers"
_MODEL = "peer"
_READY_S = 120.0
_STANDARD_ERROR = 2
_CHECKED = 8
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLoad:
    """The loads of every round.

    Attributes:
        concurrency: requests under way, for each load.
        rounds: turns of each server.
        seconds: duration of a figure.
        tokens: of every text; None for lengths like titles.
    """

    concurrency: tuple[int, ...]
    rounds: int
    seconds: float
    tokens: int | None = None

    def texts(self) -> list[str]:
        """The texts that are asked."""
        kind = TITLES
        if self.tokens is not None:
            kind = TextKind(name="long", tokens=self.tokens)
        return [text for (text,) in rows_of_kind(kind)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSubject:
    """A server: its rate under so many requests, and the probabilities of one text."""

    rate: Callable[[int], float]
    scores: Callable[[str], Sequence[float]]


def compare_peers(
    checkpoint: Path,
    python: str,
    peers: Sequence[str],
    load: PeerLoad,
    options: Sequence[str],
    progress: Callable[[str], None],
) -> PeersRun:
    """Measure, with a line of progress for each figure.

    Args:
        checkpoint: a transformers sequence classifier with `vocab.txt`.
        python: of an environment with `peers/requirements.txt`.
        peers: names of `PEERS`.
        load: the loads.
        options: of our builds, such as `--engine openvino`.
        progress: takes a line for each figure.

    Raises:
        AnalyzerError: a peer does not start, or answers otherwise than we do.
        CheckpointError: the export or a build fails.
    """
    started = datetime.datetime.now(datetime.timezone.utc)
    texts = load.texts()
    rates: dict[str, dict[int, list[float]]] = {}
    with ExitStack() as stack:
        subjects = stack.enter_context(_ours(checkpoint, options, texts, load.seconds))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ernie-triton-perf-")))
        _write_peer_files(checkpoint, folder)
        for name in peers:
            subjects[name] = stack.enter_context(_peer(name, python, folder, texts, load))
        _check(subjects, texts)
        for number in range(1, load.rounds + 1):
            for level in load.concurrency:
                for name, subject in subjects.items():
                    found = subject.rate(level)
                    rates.setdefault(name, {}).setdefault(level, []).append(found)
                    progress(
                        f"round {number} of {load.rounds}, concurrency {level}: {name} {found:,.1f}"
                    )
    return PeersRun(
        model=checkpoint.name + (f", {load.tokens} tokens" if load.tokens else ""),
        started_at=started.isoformat(timespec="seconds"),
        machine=machine_facts(),
        features=instruction_sets(),
        commit=project_commit(),
        seconds=load.seconds,
        rates=rates,
    )


def _check(subjects: Mapping[str, ServerSubject], texts: Sequence[str]) -> None:
    """Compare every server's answers with the first's.

    Raises:
        AnalyzerError: a probability differs.
    """
    first = next(iter(subjects.values()))
    for text in texts[:_CHECKED]:
        expected = first.scores(text)
        for name, subject in subjects.items():
            found = subject.scores(text)
            differences = [abs(one - other) for one, other in zip(found, expected, strict=True)]
            if not max(differences, default=math.inf) <= _TOLERANCE:
                raise AnalyzerError(
                    f"{name} answers {text!r} with probabilities that differ by "
                    f"{max(differences):.1e}, more than {_TOLERANCE:.0e}"
                )


@contextmanager
def _ours(
    checkpoint: Path, options: Sequence[str], texts: Sequence[str], seconds: float
) -> Iterator[dict[str, ServerSubject]]:
    """Build and serve both forms of the pipeline; perf_analyzer asks them over gRPC."""
    forms = {f"{_MODEL}_joined": "--joined", _MODEL: "--no-joined"}
    builds = {model: (form, *options) for model, form in forms.items()}
    with served_builds(checkpoint, "seq_cls", builds) as url, ExitStack() as stack:
        yield {
            name: _served(url, model, stack.enter_context(SeqClsClient(url, model)), texts, seconds)
            for name, model in zip(OUR_FORMS, forms, strict=True)
        }


def _served(
    url: str, model: str, client: SeqClsClient, texts: Sequence[str], seconds: float
) -> ServerSubject:
    test = LoadTest(
        url=url,
        model=model,
        inputs=("text",),
        rows=[(text,) for text in texts],
        seconds=seconds,
    )

    def rate(concurrency: int) -> float:
        found = test.figures(RequestLoad(mode=CONCURRENCY, level=float(concurrency)))
        return found.rows_per_second

    def scores(text: str) -> Sequence[float]:
        (found,) = client.classify([text], top_k=len(client.label_names()))
        return [label.score for label in sorted(found.labels, key=lambda label: label.id)]

    return ServerSubject(rate=rate, scores=scores)


def _write_peer_files(checkpoint: Path, folder: Path) -> None:
    """Write the graph and the vocabulary of the peers.

    Raises:
        CheckpointError: the export failed.
    """
    shutil.copyfile(checkpoint / VOCABULARY_FILE, folder / VOCABULARY_FILE)
    module = "ernie_triton.perf.peers.fused_graph"
    command = (sys.executable, "-m", module, str(checkpoint), str(folder / _GRAPH_FILE))
    done = run_child(command, stderr=subprocess.PIPE)
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise CheckpointError(f"{checkpoint} cannot be exported for the peers: {last}")


@contextmanager
def _peer(
    name: str, python: str, folder: Path, texts: Sequence[str], load: PeerLoad
) -> Iterator[ServerSubject]:
    """Start a peer, and wait until it answers."""
    endpoint = HttpEndpoint(port=free_port(), path=PEERS[name])
    command = [python, str(_SERVERS / f"{name}_server.py"), str(folder), str(endpoint.port)]
    with running_child(command, stdout=_STANDARD_ERROR) as process:
        deadline = time.monotonic() + _READY_S
        while True:
            try:
                endpoint.scores(texts[0])
                break
            except OSError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AnalyzerError(
                        f"`{' '.join(command)}` does not answer; run it by hand, and install "
                        f"{_SERVERS.parent / 'requirements.txt'} for that Python"
                    ) from error
                time.sleep(0.2)

        def rate(concurrency: int) -> float:
            found = endpoint.load(texts, concurrency=concurrency, seconds=load.seconds)
            return found.requests_per_s

        try:
            yield ServerSubject(rate=rate, scores=endpoint.scores)
        finally:
            _end(process.pid)


def _end(number: int) -> None:
    """Kill a process and what it started: workers of a peer outlive it otherwise."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(number)
        for one in (*process.children(recursive=True), process):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
