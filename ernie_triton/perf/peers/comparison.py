"""Serve one checkpoint with our server and with each peer, and ask all of them in turn.

Each peer answers in FP32; where ours answers in INT8, each has an INT8 server beside it too, whose
graph ONNX Runtime's dynamic quantisation made.
"""

import contextlib
import dataclasses
import datetime
import math
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.client.tasks.token_cls import TokenClsClient
from ernie_triton.errors import AnalyzerError, CheckpointError
from ernie_triton.perf.analyzer.load_test import LoadTest
from ernie_triton.perf.analyzer.texts import TextRow
from ernie_triton.perf.machine import machine_facts, project_commit
from ernie_triton.perf.peers.finished import OUR_FORMS, PeersRun
from ernie_triton.perf.peers.http_load import HttpEndpoint
from ernie_triton.perf.peers.servers import PEERS
from ernie_triton.perf.peers.work import EntityPlaces, PeerWork, text_scores
from ernie_triton.perf.results import CONCURRENCY, RequestLoad
from ernie_triton.perf.served_builds import PRECISION_OPTIONS, served_builds
from ernie_triton.processes.child_process import run_child, running_child
from ernie_triton.processor import instruction_sets
from ernie_triton.server.addresses import free_port
from ernie_triton.tasks import TOKEN_CLS
from ernie_triton.tokenizer.vocabulary import VOCABULARY_FILE

_GRAPH_FILE = "fused.onnx"
_SERVERS = Path(__file__).parent / "servers"
_MODEL = "peer"
_READY_S = 120.0
_STANDARD_ERROR = 2
_CHECKED = 8
_FULL, _INT8 = "fp32", "int8"
_TOLERANCES = {_FULL: 1e-3, "bf16": 0.05, _INT8: 0.2}
"""Of a probability, to an FP32 server's. Weights are often random here: they decide by little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLoad:
    """The loads of every round: requests under way for each, turns, seconds of a figure."""

    concurrency: tuple[int, ...]
    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSubject:
    """A server.

    Attributes:
        precision: what it computes in.
        rate: gives its requests a second under so many requests.
        answer: gives its answer to one row.
        process: of a peer: it stands still while another server is asked. Idle servers that look
            for work many times a second would slow the others' single requests.
    """

    precision: str
    rate: Callable[[int], float]
    answer: Callable[[TextRow], Sequence[float]]
    process: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OurBuild:
    """The engine and the precision of our pipelines, as `build` names them."""

    engine: str
    precision: str

    def options(self) -> tuple[str, ...]:
        """The options of `build`."""
        precision = PRECISION_OPTIONS.get(self.precision, ("--precision", self.precision))
        return ("--engine", self.engine, *precision)

    def label(self) -> str:
        """Name it for a table; empty in FP32."""
        return "" if self.precision == _FULL else f"ours {self.precision}"


def compare_peers(
    checkpoint: Path,
    python: str,
    peers: Sequence[str],
    work: PeerWork,
    load: PeerLoad,
    build: OurBuild,
    progress: Callable[[str], None],
) -> PeersRun:
    """Measure, with a line of progress for each figure.

    Args:
        checkpoint: a transformers classifier of texts or tokens with `vocab.txt`.
        python: of an environment with `peers/requirements.txt`.
        peers: names of `PEERS`.
        work: what is asked.
        load: the loads.
        build: of ours.
        progress: takes a line for each figure.

    Raises:
        AnalyzerError: a peer does not start, or answers otherwise than we do.
        CheckpointError: the export or a build fails.
    """
    started = datetime.datetime.now(datetime.timezone.utc)
    rows = work.rows()
    rates: dict[str, dict[int, list[float]]] = {}
    with ExitStack() as stack:
        subjects = stack.enter_context(_ours(checkpoint, work, build, rows, load.seconds))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ernie-triton-perf-")))
        for precision in dict.fromkeys((_FULL, build.precision)):
            if precision not in (_FULL, _INT8):
                continue
            graph = folder / precision
            _write_peer_files(checkpoint, work, precision, graph)
            for name in peers:
                peer = stack.enter_context(_peer(name, python, graph, precision, rows, load))
                named = name if precision == _FULL else f"{name} {precision}"
                subjects[named] = _comparable(checkpoint, work, peer)
        _check(subjects, rows)
        for number in range(1, load.rounds + 1):
            for level in load.concurrency:
                for name, subject in subjects.items():
                    with _alone(subject, subjects.values()):
                        found = subject.rate(level)
                    rates.setdefault(name, {}).setdefault(level, []).append(found)
                    progress(
                        f"round {number} of {load.rounds}, concurrency {level}: {name} {found:,.1f}"
                    )
    return PeersRun(
        model=", ".join(filter(None, (checkpoint.name, work.label(), build.label()))),
        started_at=started.isoformat(timespec="seconds"),
        machine=machine_facts(),
        features=instruction_sets(),
        commit=project_commit(),
        seconds=load.seconds,
        rates=rates,
    )


def _check(subjects: Mapping[str, ServerSubject], rows: Sequence[TextRow]) -> None:
    """Compare every server's answers with those of the first in FP32.

    Raises:
        AnalyzerError: a probability or an entity differs.
    """
    first = next(one for one in subjects.values() if one.precision == _FULL)
    for row in rows[:_CHECKED]:
        expected = first.answer(row)
        for name, subject in subjects.items():
            found = subject.answer(row)
            differences = [abs(one - other) for one, other in zip(found, expected, strict=True)]
            tolerance = _TOLERANCES[subject.precision]
            if not max(differences, default=math.inf) <= tolerance:
                raise AnalyzerError(
                    f"{name} answers {' '.join(row)!r} with numbers that differ by "
                    f"{max(differences):.1e}, more than {tolerance:.0e}"
                )


def _comparable(checkpoint: Path, work: PeerWork, peer: ServerSubject) -> ServerSubject:
    """A peer whose answers compare with ours."""
    if work.task != TOKEN_CLS.name:
        return peer
    places = EntityPlaces(checkpoint)
    return dataclasses.replace(peer, answer=lambda row: places.of_label_ids(peer.answer(row)))


@contextmanager
def _ours(
    checkpoint: Path, work: PeerWork, build: OurBuild, rows: Sequence[TextRow], seconds: float
) -> Iterator[dict[str, ServerSubject]]:
    """Build and serve both forms of the pipeline; perf_analyzer asks them over gRPC."""
    forms = {f"{_MODEL}_joined": "--joined", _MODEL: "--no-joined"}
    options = (*build.options(), *work.build_options())
    builds = {model: (form, *options) for model, form in forms.items()}
    with served_builds(checkpoint, work.task, builds) as url, ExitStack() as stack:
        subjects = {}
        for name, model in zip(OUR_FORMS, forms, strict=True):
            test = LoadTest(url=url, model=model, inputs=work.inputs, rows=rows, seconds=seconds)
            subjects[name] = ServerSubject(
                precision=build.precision,
                rate=partial(_analyzer_rate, test),
                answer=_our_answer(checkpoint, work, stack, url, model),
            )
        yield subjects


def _analyzer_rate(test: LoadTest, concurrency: int) -> float:
    found = test.figures(RequestLoad(mode=CONCURRENCY, level=float(concurrency)))
    return found.rows_per_second


def _our_answer(
    checkpoint: Path, work: PeerWork, stack: ExitStack, url: str, model: str
) -> Callable[[TextRow], Sequence[float]]:
    if work.task == TOKEN_CLS.name:
        entities = stack.enter_context(TokenClsClient(url, model))
        return partial(EntityPlaces(checkpoint).of_served, entities)
    return partial(text_scores, stack.enter_context(SeqClsClient(url, model)))


def _write_peer_files(checkpoint: Path, work: PeerWork, precision: str, folder: Path) -> None:
    """Write the graph, the vocabulary and the work of the peers.

    Raises:
        CheckpointError: the export failed.
    """
    folder.mkdir()
    work.write(folder)
    shutil.copyfile(checkpoint / VOCABULARY_FILE, folder / VOCABULARY_FILE)
    module = "ernie_triton.perf.peers.fused_graph"
    command = (sys.executable, "-m", module, str(checkpoint), str(folder / _GRAPH_FILE), precision)
    done = run_child(command, stderr=subprocess.PIPE)
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise CheckpointError(f"{checkpoint} cannot be exported for the peers: {last}")


@contextmanager
def _peer(
    name: str, python: str, folder: Path, precision: str, rows: Sequence[TextRow], load: PeerLoad
) -> Iterator[ServerSubject]:
    """Start a peer, and wait until it answers."""
    endpoint = HttpEndpoint(port=free_port(), path=PEERS[name])
    command = [python, str(_SERVERS / f"{name}_server.py"), str(folder), str(endpoint.port)]
    with running_child(command, stdout=_STANDARD_ERROR) as process:
        deadline = time.monotonic() + _READY_S
        while True:
            try:
                endpoint.answer(rows[0])
                break
            except OSError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AnalyzerError(
                        f"`{' '.join(command)}` does not answer; run it by hand, and install "
                        f"{_SERVERS.parent / 'requirements.txt'} for that Python"
                    ) from error
                time.sleep(0.2)

        def rate(concurrency: int) -> float:
            found = endpoint.load(rows, concurrency=concurrency, seconds=load.seconds)
            return found.requests_per_s

        try:
            yield ServerSubject(
                precision=precision, rate=rate, answer=endpoint.answer, process=process.pid
            )
        finally:
            # Workers of a peer outlive it otherwise.
            _signal_tree(process.pid, signal.SIGKILL)


@contextmanager
def _alone(asked: ServerSubject, subjects: Iterable[ServerSubject]) -> Iterator[None]:
    """Let the other peers stand still."""
    others = [one.process for one in subjects if one is not asked and one.process is not None]
    try:
        for number in others:
            _signal_tree(number, signal.SIGSTOP)
        yield
    finally:
        for number in others:
            _signal_tree(number, signal.SIGCONT)


def _signal_tree(number: int, signal_number: signal.Signals) -> None:
    """Send a signal to a process and to what it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(number)
        for one in (*process.children(recursive=True), process):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal_number)
