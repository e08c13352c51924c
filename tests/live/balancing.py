"""Ask two servers through one address while they are hung, killed, drained and updated in turn.

By hand: `python -m tests.live.balancing REPOSITORY OTHER_BUILD client|gateway|envoy [REQUESTS]`
serves a copy of REPOSITORY twice, asks `ernie_seqcls` at concurrency 32, and prints figures. The
update takes in the build of OTHER_BUILD. `envoy` wants its program, as `make deploy-tools` fetches.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.server.addresses import free_port
from tests.gateway.processes import running_gateway
from tests.live.reloading import TEXTS, p99_ms, take_pipeline
from tests.live.test_serve import DEADLINE_S, ready_line, serving

MODEL = "ernie_seqcls"
HUNG_S = 12.0
_TOLERANCE = 2e-5

Answer = tuple[str, float]
Ask = Callable[[str], Answer]
Asking = Callable[[], contextlib.AbstractContextManager[Ask]]


@contextlib.contextmanager
def grpc_asking(url: str) -> Iterator[Ask]:
    """Ask over gRPC."""
    with SeqClsClient(url, MODEL, timeout_s=60) as client:

        def ask(text: str) -> Answer:
            best = client.classify([text])[0].best
            return best.name, best.score

        yield ask


@contextlib.contextmanager
def http_asking(address: str) -> Iterator[Ask]:
    """Ask a gateway, which tries each server once."""
    connection = http.client.HTTPConnection(address, timeout=60)

    def ask(text: str) -> Answer:
        connection.request("POST", "/v1/classify", json.dumps({"model": MODEL, "input": [text]}))
        reply = connection.getresponse()
        body = json.loads(reply.read())
        if reply.status != 200:
            raise RuntimeError(f"{reply.status} {body['detail']}")
        [label] = body["results"][0]["labels"]
        return label["name"], label["score"]

    with contextlib.closing(connection):
        yield ask


class Victim:
    """A server at one port, as a process that can be struck and started again."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        self.port = free_port("127.0.0.1")
        self.url = f"127.0.0.1:{self.port}"
        self._running = contextlib.ExitStack()
        self.start()

    def start(self) -> None:
        options = ("--grpc-port", str(self.port), "--metrics-port", "0", "--model", MODEL)
        self.process = self._running.enter_context(serving(self.repository, *options))
        ready_line(self.process)

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the launcher, to tritonserver and to every stage."""
        launcher = psutil.Process(self.process.pid)
        for process in (launcher, *launcher.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self) -> None:
        self.signal_all(signal.SIGKILL)
        self.process.wait(DEADLINE_S)

    def drain(self) -> None:
        """Stop as `docker stop` does, and wait for the end."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(DEADLINE_S) == 0

    def update(self, other: Path) -> None:
        """Take in another build while it serves."""
        take_pipeline(other, MODEL, self.repository)
        command = [sys.executable, "-m", "ernie_triton", "reload", MODEL]
        subprocess.run([*command, "--grpc-port", str(self.port)], check=True)

    def close(self) -> None:
        self._running.close()


@dataclass(slots=True)
class Load:
    """Threads that ask without a pause, and what they got."""

    asking: Asking
    expected: Sequence[Sequence[Answer]]
    counts: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def running(self, concurrency: int) -> Iterator[Load]:
        threads = [threading.Thread(target=self._work, args=(at,)) for at in range(concurrency)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join()

    @property
    def answered(self) -> int:
        return self.counts["right"] + self.counts["wrong"]

    def wait_for(self, more: int) -> None:
        """Return after so many more answers."""
        wanted, deadline = self.answered + more, time.monotonic() + DEADLINE_S
        while self.answered < wanted:
            assert time.monotonic() < deadline, (self.counts, self.errors[:3])
            time.sleep(0.05)

    def _work(self, number: int) -> None:
        with self.asking() as ask:
            while not self._stopping.is_set():
                number = (number + 1) % len(TEXTS)
                start = time.perf_counter()
                try:
                    name, score = ask(TEXTS[number])
                except Exception as error:
                    self.errors.append(str(error))
                    continue
                self.latencies.append(time.perf_counter() - start)
                right = any(
                    name == expected[number][0] and abs(score - expected[number][1]) < _TOLERANCE
                    for expected in self.expected
                )
                self.counts["right" if right else "wrong"] += 1


def answers_at(url: str) -> list[Answer]:
    """Each text's answer from one server."""
    with grpc_asking(url) as ask:
        return [ask(text) for text in TEXTS]


@contextlib.contextmanager
def _way(kind: str, urls: Sequence[str]) -> Iterator[Asking]:
    if kind == "client":
        yield lambda: grpc_asking(",".join(urls))
    elif kind == "gateway":
        options = [word for url in urls for word in ("--url", url)]
        with running_gateway(*options, "--workers", "1") as started:
            yield lambda: http_asking(started.address)
    else:
        from tests.deploy.envoy import running_envoy

        with running_envoy(urls) as url:
            yield lambda: grpc_asking(url)


def main(first: str, other: str, kind: str, requests: str = "10000") -> int:
    """Strike both servers under load, and print what happened."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as open_servers:
        victims = []
        for name in ("a", "b"):
            take_pipeline(Path(first), MODEL, Path(folder, name))
            victims.append(Victim(Path(folder, name)))
            open_servers.callback(victims[-1].close)
        a, b = victims
        known = [answers_at(a.url)]
        asking = open_servers.enter_context(_way(kind, [a.url, b.url]))
        load = Load(asking, known)
        with load.running(32):
            for name, strike in (
                ("a killed", a.kill),
                ("a back", a.start),
                ("b hung", lambda: b.signal_all(signal.SIGSTOP)),
                ("b still hung", lambda: time.sleep(HUNG_S)),
                ("b killed", b.kill),
                ("b back", b.start),
                ("a drained", a.drain),
                ("a back", a.start),
                ("b updated", lambda: _update(b, Path(other), load)),
            ):
                start, before = time.monotonic(), load.answered
                strike()
                took_s = time.monotonic() - start
                print(f"{name} ({took_s:.1f} s, {load.answered - before} answers)", flush=True)
                load.wait_for(int(requests) // 10)
            load.wait_for(max(int(requests) - load.answered, 0))
        print(f"{kind}: {dict(load.counts)}, errors {len(load.errors)} {load.errors[:3]}")
        latencies = sorted(load.latencies)
        middle_ms = latencies[len(latencies) // 2] * 1000
        print(
            f"p50 {middle_ms:.0f} ms, p99 {p99_ms(latencies):.0f} ms, {latencies[-1]:.1f} s longest"
        )
        return int(bool(load.errors or load.counts["wrong"]))


def _update(victim: Victim, other: Path, load: Load) -> None:
    """Update one server; the answers of both builds are right from here on."""
    copy = victim.repository.with_name("other")
    take_pipeline(other, MODEL, copy)
    spare = Victim(copy)
    try:
        load.expected = [*load.expected, answers_at(spare.url)]
    finally:
        spare.close()
    victim.update(other)


if __name__ == "__main__":
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    sys.exit(main(*sys.argv[1:]))
