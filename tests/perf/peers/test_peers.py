"""Peers are asked alike, must answer alike, and are compared round by round."""

import importlib
import itertools
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.client.tasks.token_cls import TokenClsClient
from ernie_triton.errors import AnalyzerError, UsageError
from ernie_triton.perf.machine import machine_facts
from ernie_triton.perf.peers import comparison, fused_graph
from ernie_triton.perf.peers.comparison import ServerSubject
from ernie_triton.perf.peers.finished import PeersRun
from ernie_triton.perf.peers.http_load import HttpEndpoint
from ernie_triton.perf.peers.servers import PEERS
from ernie_triton.perf.peers.work import EntityPlaces, PeerWork, classifier_task
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.options import ServerOptions
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
        body = b'{"answer": [0.2, 0.2, 0.2, 0.2, 0.2]}'
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
        (asked,) = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["texts"]
        ASKED.append(asked)
        body = json.dumps({"answer": [len(asked), 0.5]}).encode()
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
        yield HttpEndpoint(port=server.server_port, path="/answer")
    finally:
        server.shutdown()
        server.server_close()


def test_every_text_is_sent_and_every_answer_counted() -> None:
    ASKED.clear()
    texts = ["央行", "降息了", "好"]
    with answering() as endpoint:
        assert endpoint.answer(("四个汉字",)) == [4, 0.5]
        found = endpoint.load([(text,) for text in texts], concurrency=3, seconds=0.5)
    assert set(ASKED[1:]) == set(texts)
    # The first fifth is not counted; the last answers come after the end.
    assert 0 < found.requests_per_s * 0.4 <= len(ASKED)
    assert 0 < found.p50_ms <= found.p99_ms


def test_rows_have_so_many_tokens_or_are_like_titles() -> None:
    # [CLS] and [SEP] are the other two; most characters are a token each.
    assert {len(text) for (text,) in PeerWork(tokens=128).rows()} == {126}
    assert {len(one) + len(other) for one, other in PeerWork(tokens=128, pair=True).rows()} == {125}
    titles = [text for (text,) in PeerWork().rows()]
    assert 20 < sum(map(len, titles)) / len(titles) < 28


def test_work_names_its_build_and_its_row_in_a_table() -> None:
    pairs = PeerWork(tokens=64, pair=True)
    assert pairs.build_options() == ("--pair", "--max-length", "64")
    assert pairs.label() == "pairs, 64 tokens"
    entities = PeerWork(task="token_cls", tokens=300, window=128)
    assert entities.build_options() == ("--max-length", "128", "--overlap", "32")
    assert entities.label() == "entities, 300 tokens, windows of 128"
    with pytest.raises(UsageError, match="--window is for a checkpoint that labels tokens"):
        PeerWork(window=64)
    with pytest.raises(UsageError, match="--pair is for a checkpoint that labels texts"):
        PeerWork(task="token_cls", pair=True)
    with pytest.raises(UsageError, match="--tokens is 513; expected 8 to 512"):
        PeerWork(tokens=513)


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tagger") / "checkpoint"
    options = ["--task", "token_cls", "--layers", "1", "--hidden", "48", "--labels", "5"]
    assert command_named("random")([*options, "--output", str(folder)]) == 0
    return folder


def test_a_peer_merges_windows_as_we_do(
    tagger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = PeerWork(task=classifier_task(tagger), tokens=70, window=24)
    repository, graph = tmp_path / "repository", tmp_path / "graph"
    options = ("--engine", "onnxruntime", *work.build_options())
    built = ["build", str(tagger), "--repository", str(repository), "--name", "tagger", *options]
    assert command_named("build")(built[1:]) == 0
    graph.mkdir()
    work.write(graph)
    shutil.copyfile(tagger / "vocab.txt", graph / "vocab.txt")
    fused_graph.write_fused_graph(tagger, graph / "fused.onnx")
    monkeypatch.syspath_prepend(str(SERVERS))
    scorer = importlib.import_module("onnx_scorer").OnnxScorer(str(graph))
    places = EntityPlaces(tagger)
    rows = [*work.rows()[:3], ("短文",)]
    with (
        EmbeddedServer(ServerOptions(repository=repository, grpc_port=0)) as server,
        TokenClsClient(server.url, "tagger") as client,
    ):
        ours = [places.of_served(client, row) for row in rows]
    assert [places.of_label_ids(answer) for answer in scorer.answers(rows)] == ours
    assert {*itertools.chain(*ours)} > {0.0}


def test_a_quantised_graph_answers_nearly_the_same(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(SERVERS))
    full, small = tmp_path / "fp32", tmp_path / "int8"
    full.mkdir()
    PeerWork().write(full)
    shutil.copyfile(tiny.checkpoint / "vocab.txt", full / "vocab.txt")
    fused_graph.write_fused_graph(tiny.checkpoint, full / "fused.onnx")
    shutil.copytree(full, small)
    fused_graph.quantise(small / "fused.onnx")
    found = []
    for folder in (full, small):
        scorer = importlib.import_module("onnx_scorer").OnnxScorer(str(folder))
        found.append(np.array(scorer.answers([("央行降息",), ("好",)])))
    assert 0 < np.abs(found[0] - found[1]).max() < 0.2
    assert (small / "fused.onnx").stat().st_size < (full / "fused.onnx").stat().st_size


def test_an_answer_that_is_no_success_is_told() -> None:
    with answering() as endpoint, pytest.raises(AnalyzerError, match=r"answered HTTP/1\.1 500"):
        endpoint.load([("坏",)], concurrency=1, seconds=0.2)


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
    source.write_text("{}", encoding="utf-8")
    assert perf(["peers", "--from", str(source)]) == 1
    assert "cannot be read as results of peers" in capsys.readouterr().err


def test_a_server_that_answers_otherwise_is_named() -> None:
    def subject(score: float, precision: str = "fp32") -> ServerSubject:
        return ServerSubject(precision=precision, rate=float, answer=lambda _: [score, 1 - score])

    comparison._check({"a": subject(0.25), "b": subject(0.2502)}, [("好",)])
    comparison._check({"a": subject(0.4, "int8"), "b": subject(0.25)}, [("好",)])
    with pytest.raises(AnalyzerError, match=r"b answers '好' with .* differ by 2\.0e-03"):
        comparison._check({"a": subject(0.25), "b": subject(0.252)}, [("好",)])
    with pytest.raises(AnalyzerError, match=r"a answers '好' with .* differ by 2\.5e-01"):
        comparison._check({"a": subject(0.5, "int8"), "b": subject(0.25)}, [("好",)])


def _export_here(command: Sequence[str], **_: object) -> subprocess.CompletedProcess[bytes]:
    """Write the peers' graph without a process that imports torch once more."""
    module, checkpoint, graph, precision = command[2:]
    assert module == fused_graph.__name__
    fused_graph.write_fused_graph(Path(checkpoint), Path(graph), precision)
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
    monkeypatch.setattr(comparison, "_TOLERANCES", {"fp32": 1.0})
    assert command_named("perf")(arguments) == 0
    _, _, header, _, joined, ensemble, peer = capsys.readouterr().out.splitlines()
    assert "over the best peer at 4" in header
    assert joined.startswith("ernie-triton joined")
    assert ensemble.startswith("ernie-triton ensemble")
    assert peer.startswith("fastapi")
    assert {path.name for path in SERVERS.glob("*_server.py")} == {f"{n}_server.py" for n in PEERS}
