"""Peers are asked alike, must answer alike, and are compared round by round."""

import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ernie_triton.errors import AnalyzerError
from ernie_triton.perf.machine import machine_facts
from ernie_triton.perf.peers import comparison, fused_graph
from ernie_triton.perf.peers.comparison import PeerLoad, ServerSubject
from ernie_triton.perf.peers.finished import PeersRun
from ernie_triton.perf.peers.http_load import HttpEndpoint
from ernie_triton.perf.peers.servers import PEERS
from tests.commands import command as command_named
from tests.perf.conftest import Tiny

ASKED: list[str] = []
SERVERS = comparison._SERVERS
STAND_IN = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"scores": [0.2, 0.2, 0.2, 0.2, 0.2]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Answer).serve_forever()
"""
"""A peer that thinks that every label is as likely."""


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]
        ASKED.append(asked)
        body = json.dumps({"scores": [len(asked), 0.5]}).encode()
        self.send_response(200 if asked != "坏" else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering() -> Iterator[HttpEndpoint]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield HttpEndpoint(port=server.server_port, path="/score")
    finally:
        server.shutdown()
        server.server_close()


def test_every_text_is_sent_and_every_answer_counted() -> None:
    ASKED.clear()
    texts = ["央行", "降息了", "好"]
    with answering() as endpoint:
        assert endpoint.scores("四个汉字") == [4, 0.5]
        found = endpoint.load(texts, concurrency=3, seconds=0.5)
    assert set(ASKED[1:]) == set(texts)
    # The first fifth is not counted; the last answers come after the end.
    assert 0 < found.requests_per_s * 0.4 <= len(ASKED)
    assert 0 < found.p50_ms <= found.p99_ms


def test_texts_have_so_many_tokens_or_are_like_titles() -> None:
    long = PeerLoad(concurrency=(1,), rounds=1, seconds=1.0, tokens=128)
    titles = dataclasses.replace(long, tokens=None)
    # [CLS] and [SEP] are the other two; most characters are a token each.
    assert {len(text) for text in long.texts()} == {126}
    assert 20 < sum(map(len, titles.texts())) / len(titles.texts()) < 28


def test_an_answer_that_is_no_success_is_told() -> None:
    with answering() as endpoint, pytest.raises(AnalyzerError, match=r"answered HTTP/1\.1 500"):
        endpoint.load(["坏"], concurrency=1, seconds=0.2)


RUN = PeersRun(
    model="Nano",
    started_at="2026-11-30T06:35:03+00:00",
    machine=machine_facts(),
    features=("avx2",),
    commit="abc",
    seconds=3.0,
    rates={
        "ernie-triton joined": {1: [50.0, 100.0, 60.0], 32: [300.0, 310.0, 330.0]},
        "fastapi": {1: [100.0, 100.0, 30.0], 32: [90.0, 95.0, 99.0]},
        "mosec": {1: [10.0, 20.0, 20.0], 32: [100.0, 155.0, 110.0]},
    },
)


def test_ratios_are_to_the_best_peer_of_each_concurrency_in_the_same_round() -> None:
    heading, _, columns, _, ours, fastapi, _ = RUN.lines()
    assert heading.startswith("Nano: ")
    assert heading.endswith("2026-11-30, commit abc; 3 rounds in turn, 3 s a figure")
    assert columns.split("  ")[0] == "server"
    assert "60.00 (50.00 to 100.00)" in ours
    assert "1.00x (0.50 to 2.00)" in ours  # over fastapi
    assert "3.00x (2.00 to 3.00)" in ours  # over mosec
    assert "1.00x (1.00 to 1.00)" in fastapi


def test_a_finished_run_is_shown_and_drawn_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, picture = tmp_path / "nano.json", tmp_path / "peers.png"
    source.write_text(RUN.to_json(), encoding="utf-8")
    perf = command_named("perf")
    assert perf(["peers", "--from", str(source), "--plot", str(picture)]) == 0
    assert capsys.readouterr().out.splitlines() == [*RUN.lines(), "", str(picture)]
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit):
        perf(["peers"])
    assert "name a checkpoint and --python" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        perf(["peers", "c", "--python", "p", "--tokens", "513"])
    assert "--tokens is 513; expected 8 to 512" in capsys.readouterr().err
    source.write_text("{}", encoding="utf-8")
    assert perf(["peers", "--from", str(source)]) == 1
    assert "cannot be read as results of peers" in capsys.readouterr().err


def test_a_server_that_answers_otherwise_is_named() -> None:
    def subject(score: float) -> ServerSubject:
        return ServerSubject(rate=float, scores=lambda _: [score, 1 - score])

    comparison._check({"a": subject(0.25), "b": subject(0.2502)}, ["好"])
    with pytest.raises(AnalyzerError, match=r"b answers '好' with .* differ by 2\.0e-03"):
        comparison._check({"a": subject(0.25), "b": subject(0.252)}, ["好"])


def _export_here(command: Sequence[str], **_: object) -> subprocess.CompletedProcess[bytes]:
    """Write the peers' graph without a process that imports torch once more."""
    module, checkpoint, graph = command[2:]
    assert module == fused_graph.__name__
    fused_graph.write_fused_graph(Path(checkpoint), Path(graph))
    return subprocess.CompletedProcess(command, 0)


@pytest.mark.live
def test_the_command_compares_a_peer_that_it_started(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fastapi_server.py").write_text(STAND_IN, encoding="utf-8")
    monkeypatch.setattr(comparison, "_SERVERS", tmp_path)
    monkeypatch.setattr(comparison, "run_child", _export_here)
    options = ("--peer", "fastapi", "--engine", "openvino", "--rounds", "1", "--seconds", "1")
    arguments = ["peers", str(tiny.checkpoint), "--python", sys.executable, *options]
    arguments += ["--concurrency", "4"]
    # It answers otherwise than we do; what that leads to is tested above.
    monkeypatch.setattr(comparison, "_TOLERANCE", 1.0)
    assert command_named("perf")(arguments) == 0
    _, _, header, _, joined, ensemble, peer = capsys.readouterr().out.splitlines()
    assert "over the best peer at 4" in header
    assert joined.startswith("ernie-triton joined")
    assert ensemble.startswith("ernie-triton ensemble")
    assert peer.startswith("fastapi")
    assert {path.name for path in SERVERS.glob("*_server.py")} == {f"{n}_server.py" for n in PEERS}
