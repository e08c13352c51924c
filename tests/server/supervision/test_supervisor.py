"""Stages that end are brought back by themselves; real processes, and a control in memory."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ernie_triton.errors import ServerError
from ernie_triton.request_counts import RequestCounts
from ernie_triton.server.supervision import given_up_stages, stage_watch, stuck_stages
from ernie_triton.server.supervision import supervisor as supervision
from ernie_triton.server.supervision.supervisor import Supervisor
from tests.server.fake_server import DEADLINE_S, FakeServer, has_ended, wait_until

PIPELINES = {
    "news": frozenset({"news_tokenizer", "news_engine"}),
    "pairs": frozenset({"pairs_joined"}),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    running = FakeServer(tmp_path, dict(PIPELINES))
    yield running
    running.stop()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(server: FakeServer, said: list[str]) -> Supervisor:
    return Supervisor(server.process.pid, server, said.append)


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    os.kill(pid, number)
    if number != signal.SIGSTOP:
        wait_until(lambda: has_ended(pid))


def check_until(supervisor: Supervisor, said: list[str], word: str) -> None:
    def is_said() -> bool:
        supervisor.check()
        return any(word in line for line in said)

    wait_until(is_said)


def test_a_killed_stage_is_brought_back_and_nothing_else_is_touched(
    server: FakeServer, supervisor: Supervisor, said: list[str]
) -> None:
    others = {name: server.pid_of(name) for name in ("news_tokenizer", "pairs_joined")}
    dead = server.pid_of("news_engine")
    kill(dead, signal.SIGSEGV)
    check_until(supervisor, said, "news back after")
    assert server.calls == ["unload news", "unload news_engine", "load news"]
    assert said[0] == (
        f"the stage news_engine was killed by SIGSEGV (process {dead}); bringing news back, "
        "the others answer on"
    )
    assert {name: server.pid_of(name) for name in others} == others


def test_a_stage_that_stands_still_is_killed_and_brought_back(
    server: FakeServer,
    supervisor: Supervisor,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stage_watch, "HUNG_AFTER_S", 0.1)
    hung = server.pid_of("pairs_joined")
    kill(hung, signal.SIGSTOP)
    check_until(supervisor, said, "pairs back after")
    assert "pairs_joined stood still for 0.1 s and was killed" in said[0]
    wait_until(lambda: has_ended(hung))


def test_a_stage_that_ends_no_request_is_killed_and_an_idle_one_is_not(
    server: FakeServer, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stuck_stages, "_LOOK_EVERY_S", 0.0)
    pids = {name: server.pid_of(name) for name in ("news_tokenizer", "news_engine", "pairs_joined")}
    counts = {name: counts_of(tmp_path, name, pid) for name, pid in pids.items()}
    stuck = stuck_stages.StuckStages(tmp_path / "counts", 0.5)
    supervisor = Supervisor(server.process.pid, server, said.append, stuck=stuck)
    for count in counts.values():
        count.took(2)
    counts["news_tokenizer"].ended("answered")
    counts["news_tokenizer"].ended("refused")
    end = time.monotonic() + 2
    while not said and time.monotonic() < end:
        supervisor.check()
        counts["pairs_joined"].took(1)  # busy, and answers
        counts["pairs_joined"].ended("answered")
        time.sleep(0.05)
    check_until(supervisor, said, "news back after")
    assert said[0].startswith(
        f"the stage news_engine ended no request for 0.5 s and was killed (process "
        f"{pids['news_engine']}); bringing news back"
    )
    wait_until(lambda: has_ended(pids["news_engine"]))
    assert not has_ended(pids["pairs_joined"])


class Metrics(ThreadingHTTPServer):
    """Triton's metrics: lines that a test may change."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _MetricsHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _MetricsHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        assert isinstance(self.server, Metrics)
        self.wfile.write(b"".join(self.server.lines))

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    running = Metrics()
    yield running
    running.shutdown()
    running.server_close()


def failures(model: str, reason: str, count: int) -> bytes:
    labels = f'model="{model}",reason="{reason}",version="1"'
    return f"nv_inference_request_failure{{{labels}}} {count}\n".encode()


def test_a_stage_whose_requests_triton_fails_by_itself_is_killed_and_brought_back(
    server: FakeServer,
    said: list[str],
    metrics: Metrics,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(given_up_stages, "_LOOK_EVERY_S", 0.0)
    metrics.lines = [failures("pairs_joined", "BACKEND", 7)]  # before the supervisor came
    url = f"http://127.0.0.1:{metrics.server_port}/metrics"
    supervisor = Supervisor(
        server.process.pid, server, said.append, given_up=given_up_stages.GivenUpStages(url)
    )
    pids = {name: server.pid_of(name) for name in ("news_tokenizer", "news_engine", "pairs_joined")}
    metrics.lines += [failures("news_tokenizer", "REJECTED", 3), failures("news", "OTHER", 1)]
    supervisor.check()
    assert said == []
    metrics.lines += [failures("news_engine", "BACKEND", 1)]
    supervisor.check()
    check_until(supervisor, said, "news back after")
    assert said[0].startswith(
        f"the stage news_engine was given up by Triton, which fails its requests, and was killed "
        f"(process {pids.pop('news_engine')}); bringing news back"
    )
    metrics.lines += [failures("news_engine", "BACKEND", 5)]  # what the dead process had
    supervisor.check()
    assert len(said) == 2
    assert not any(has_ended(pid) for pid in pids.values())


def test_a_stage_of_others_may_fail_requests(
    server: FakeServer, said: list[str], metrics: Metrics, tmp_path: Path
) -> None:
    # The stage's process may be about to read it.
    others = "import time\ntime.sleep(600)\n"
    (tmp_path / "pairs_joined/1/model.py").write_text(others, encoding="utf-8")
    url = f"http://127.0.0.1:{metrics.server_port}/metrics"
    given_up = given_up_stages.GivenUpStages(url)
    supervisor = Supervisor(server.process.pid, server, said.append, given_up=given_up)
    metrics.lines = [failures("pairs_joined", "BACKEND", 1)]
    time.sleep(given_up_stages._LOOK_EVERY_S)
    supervisor.check()
    time.sleep(0.1)
    assert said == []
    assert not has_ended(server.pid_of("pairs_joined"))


def counts_of(folder: Path, model: str, pid: int) -> RequestCounts:
    """The counts of a stage's process, in its name."""
    (folder / "counts").mkdir(exist_ok=True)
    counts = RequestCounts(folder / "counts", model)
    (folder / "counts" / f"{model}.{os.getpid()}").rename(folder / "counts" / f"{model}.{pid}")
    return counts


@contextlib.contextmanager
def hanging_load(server: FakeServer, pipeline: str) -> Iterator[None]:
    """Let a pipeline's load wait until the context ends."""
    load, begun, over = server.load, threading.Event(), threading.Event()

    def hang(name: str, timeout_s: float = 0.0) -> None:
        if name == pipeline:
            begun.set()
            over.wait()
        load(name, timeout_s)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "load", hang)
        yield
        assert begun.wait(DEADLINE_S)
        over.set()


def test_a_load_that_hangs_keeps_no_other_pipeline_from_coming_back(
    server: FakeServer, supervisor: Supervisor, said: list[str]
) -> None:
    with hanging_load(server, "news"):
        kill(server.pid_of("news_engine"))
        check_until(supervisor, said, "bringing news back")
        kill(server.pid_of("pairs_joined"))
        check_until(supervisor, said, "pairs back after")
        assert not any("news back after" in line for line in said)
    check_until(supervisor, said, "news back after")


def test_a_reload_that_hangs_keeps_its_own_pipeline_alone(
    server: FakeServer, supervisor: Supervisor, said: list[str]
) -> None:
    with supervisor.turn("news"):
        kill(server.pid_of("news_engine"))
        kill(server.pid_of("pairs_joined"))
        check_until(supervisor, said, "pairs back after")
        assert not any("news" in line for line in said)
    check_until(supervisor, said, "news back after")


def test_a_drain_goes_on_while_a_pipeline_is_loaded_and_names_it(
    server: FakeServer, supervisor: Supervisor
) -> None:
    with supervisor.turn("news"):
        assert supervisor.drain(0.1) == ("news",)
        assert server.calls == ["unload pairs"]
        with pytest.raises(ServerError, match="is stopping"), supervisor.turn("pairs"):
            pass
    assert supervisor.drain(30) == ()
    assert server.calls == ["unload pairs", "unload news"]


def test_a_pause_that_ends_in_time_is_no_hang(
    server: FakeServer, supervisor: Supervisor, said: list[str]
) -> None:
    paused = server.pid_of("pairs_joined")
    kill(paused, signal.SIGSTOP)
    supervisor.check()
    os.kill(paused, signal.SIGCONT)
    time.sleep(0.1)
    supervisor.check()
    assert said == []
    assert not has_ended(paused)


def test_a_stage_that_was_unloaded_has_ended_as_it_should(
    server: FakeServer, supervisor: Supervisor, said: list[str]
) -> None:
    server.unload("news")
    server.unload("news_engine")
    supervisor.check()
    kill(server.pid_of("pairs_joined"))
    check_until(supervisor, said, "pairs back after")
    assert server.calls[2:] == ["unload pairs", "unload pairs_joined", "load pairs"]


def test_the_end_of_a_joined_pipeline_that_an_ensemble_replaced_is_as_it_should_be(
    server: FakeServer, said: list[str]
) -> None:
    server.stages_of["one"] = frozenset({"one"})
    server.load("one")
    supervisor = Supervisor(server.process.pid, server, said.append)
    server.stages_of["one"] = PIPELINES["news"]
    kill(server.pid_of("one"))
    supervisor.check()
    kill(server.pid_of("pairs_joined"))
    check_until(supervisor, said, "pairs back after")
    assert "unload one" not in server.calls


def test_a_stage_that_ends_again_and_again_is_given_up_with_the_reason(
    server: FakeServer,
    supervisor: Supervisor,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervision, "MOST_ENDS", 1)
    kill(server.pid_of("news_engine"))
    check_until(supervisor, said, "news back after")
    kill(server.pid_of("news_engine"), signal.SIGBUS)
    with pytest.raises(ServerError, match=r"news_engine was killed by SIGBUS .* for the 2\. time"):
        check_until(supervisor, said, "never said")


def test_a_server_that_may_not_be_controlled_is_given_up(
    server: FakeServer, supervisor: Supervisor, said: list[str]
) -> None:
    server.refuses = "model control is closed"
    kill(server.pid_of("news_engine"))
    with pytest.raises(ServerError, match=r"SIGKILL .* brought back: model control is closed"):
        check_until(supervisor, said, "never said")


def test_a_drain_waits_for_the_answers_that_are_outstanding(
    server: FakeServer, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unload(name: str, *, with_stages: bool = False, timeout_s: float = 0.0) -> None:  # noqa: ARG001
        assert not with_stages
        server.states[name] = "UNLOADING"
        if name == "news":
            threading.Timer(0.2, server.states.__setitem__, ("news", "UNAVAILABLE")).start()

    monkeypatch.setattr(server, "unload", unload)
    assert supervisor.drain(0.5) == ("pairs",)
    server.states.update(pairs="UNAVAILABLE")
    assert supervisor.drain(30) == ()


def test_no_stage_is_brought_back_once_the_server_stops(
    server: FakeServer, supervisor: Supervisor, said: list[str]
) -> None:
    assert supervisor.drain(1) == ()
    kill(server.pid_of("news_engine"))
    supervisor.check()
    time.sleep(0.1)
    supervisor.check()
    assert said == []
