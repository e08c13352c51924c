"""`ernie-triton health` against a small HTTP server in place of Triton."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

_CONFIGS = {
    "ernie_qa": {
        "platform": "ensemble",
        "input": [{"name": "question"}, {"name": "context"}],
    },
    "ernie_qa_engine": {"platform": "", "input": [{"name": "input_ids"}]},
}


class _Server(ThreadingHTTPServer):
    """Says what `answer` says to every inference, and remembers what was asked."""

    answer = (200, "{}")
    ready = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, object]] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/v2/health/ready":
            self._say(self.server.ready, "")
            return
        name = self.path.split("/")[3]
        known = name in _CONFIGS
        self._say(200 if known else 400, json.dumps(_CONFIGS[name]) if known else "unknown model")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, json.loads(body)))
        self._say(*self.server.answer)

    def _say(self, code: int, text: str) -> None:
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in (*_CONFIGS, "not_loaded"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.pbtxt").touch()
    return tmp_path


def _run(server: _Server, repository: Path) -> tuple[int, str]:
    url = f"http://127.0.0.1:{server.server_address[1]}"
    command = [sys.executable, "-m", "ernie_triton", "health"]
    command = [*command, "--url", url, "--repository", str(repository)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_every_input_of_every_ensemble_gets_a_text(server: _Server, repository: Path) -> None:
    assert _run(server, repository) == (0, "healthy: ernie_qa\n")
    [(path, body)] = server.asked
    assert path == "/v2/models/ernie_qa/infer"
    text = {"datatype": "BYTES", "shape": [1, 1], "data": ["健康"]}
    assert body == {"inputs": [{"name": "question", **text}, {"name": "context", **text}]}


def test_refusing_work_over_the_limit_is_healthy(server: _Server, repository: Path) -> None:
    # As tritonserver 2.51 says it.
    server.answer = (503, '{"error":"in ensemble \'ernie_qa\', Exceeds maximum queue size"}')
    assert _run(server, repository)[0] == 0


def test_a_failing_ensemble_is_named_with_its_error(server: _Server, repository: Path) -> None:
    server.answer = (500, '{"error":"Stub process is not healthy."}')
    code, line = _run(server, repository)
    assert (code, line.count("\n")) == (1, 1)
    assert "/v2/models/ernie_qa/infer answered 500" in line
    assert "Stub process is not healthy" in line


def test_a_server_that_is_not_ready_is_not_asked(server: _Server, repository: Path) -> None:
    server.ready = 400
    assert _run(server, repository)[0] == 1
    assert server.asked == []
