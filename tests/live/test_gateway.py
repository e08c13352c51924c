"""The gateway as a process before the real server: its answers, its keys, its end."""

from __future__ import annotations

import json
import re
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai import AuthenticationError, OpenAI, RateLimitError

from ernie_triton.client import EmbeddingClient
from ernie_triton.server.embedded import EmbeddedServer
from tests.commands import Run
from tests.gateway.processes import Started, running_gateway

pytestmark = pytest.mark.live

TEXTS = ["花呗怎么提前还款", "如何还清花呗😀", "央行宣布下调存款准备金率" * 40, ""]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {"file": tmp_path_factory.mktemp("keys") / "keys.toml"}


@pytest.fixture
def gateway(server: EmbeddedServer, secrets: dict[str, Any], run: Run) -> Iterator[Started]:
    """Two workers, with the keys `all` and `one`, which may ask once in ten seconds."""
    for name, options in (("all", ()), ("one", ("--rate", "0.1"))):
        if name not in secrets:
            done = run("gateway-key", name, "--keys", secrets["file"], *options)
            secrets[name] = done.stdout.strip()
    more = ("--keys", str(secrets["file"]), "--workers", "2", "--metrics-port", "0")
    with running_gateway("--url", server.url, *more) as started:
        yield started


def test_the_gateway_answers_as_grpc_does_and_lets_no_stranger_in(
    gateway: Started, server: EmbeddedServer, secrets: dict[str, Any]
) -> None:
    base = f"http://{gateway.address}/v1"
    with EmbeddingClient(server.url) as client:
        expected = client.embed(TEXTS)
    client_of_openai = OpenAI(base_url=base, api_key=secrets["all"], timeout=60)
    for options in ({}, {"encoding_format": "float"}):  # base64 where nothing is said
        made = client_of_openai.embeddings.create(
            model="ernie_embedding",
            input=TEXTS,
            **options,
        )
        vectors = np.array([item.embedding for item in made.data], dtype=np.float32)
        np.testing.assert_array_equal(vectors, expected)
    ask = {"model": "ernie_embedding", "input": ["a"]}
    with pytest.raises(AuthenticationError):
        OpenAI(base_url=base, api_key="et-none").embeddings.create(**ask)
    once = OpenAI(base_url=base, api_key=secrets["one"], max_retries=0, timeout=60)
    once.embeddings.create(**ask)
    with pytest.raises(RateLimitError) as refused:
        once.embeddings.create(**ask)
    assert "used up" in str(refused.value.body)
    shown = post(f"http://{gateway.address}/tokenize", secrets["all"], TEXTS)
    assert made.usage.prompt_tokens == sum(row["count"] for row in shown)
    assert [row["truncated"] for row in shown] == [False, False, True, False]
    assert "".join(shown[0]["texts"][0]["tokens"]) == TEXTS[0]
    ready = json.loads(got(f"http://{gateway.address}/health/ready"))
    assert ready["ready"] is True
    metrics = got(f"http://{gateway.metrics}/").decode()
    assert 'ernie_gateway_rows_total{pipeline="ernie_embedding"} 13.0' in metrics
    assert 'ernie_gateway_problems_total{problem="rate-limited"} 1.0' in metrics


def post(url: str, key: str, texts: list[str]) -> list[Any]:
    """The tokens of texts."""
    body = json.dumps({"model": "ernie_embedding", "input": texts}).encode()
    request = urllib.request.Request(url, body, {"authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        results: list[Any] = json.load(answer)["results"]
        return results


def got(url: str, context: ssl.SSLContext | None = None) -> bytes:
    with urllib.request.urlopen(url, timeout=60, context=context) as answer:
        return bytes(answer.read())


def test_the_cost_of_a_gateway_is_measured_beside_direct_grpc(
    server: EmbeddedServer, run: Run
) -> None:
    with running_gateway("--url", server.url) as started:
        place = ("--url", server.url, "--gateway", f"http://{started.address}")
        done = run("perf", "gateway-cost", *place, "--rounds", 1, "--seconds", 0.3)
        options = ("--process", started.process.pid, "--minutes", 0.05, "--rate", 50)
        watched = run("perf", "gateway-memory", "--gateway", place[-1], *options)
    assert watched.code == 0, watched.stderr
    assert re.search(r"0: left before it\): .* x 200, .* x 4\d\d", watched.stdout)
    assert done.code == 0, done.stderr
    rows = done.stdout.splitlines()[2:]
    assert [row.split("  ")[0] for row in rows] == ["32 x 8", "32 x 8", "1 x 1", "1 x 1"]
    for row in rows:
        direct, through, ratio = (float(number) for number in re.findall(r"\d+\.\d+", row)[:3])
        assert ratio == pytest.approx(through / direct, rel=0.05)


def test_https_with_a_certificate_that_is_renewed(server: EmbeddedServer, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]

    def certify() -> None:
        subprocess.run([*command, *names, *files], check=True, capture_output=True)

    certify()
    options = ("--tls-cert", str(certificate), "--tls-key", str(key))
    with running_gateway("--url", server.url, *options) as started:
        context = ssl.create_default_context(cafile=str(certificate))
        url = f"https://{started.address}/health/live"
        assert json.loads(got(url, context)) == {"live": True}
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            got(url.replace("https", "http"))
        certify()
        renewed = ssl.create_default_context(cafile=str(certificate))
        deadline = time.monotonic() + 20
        while not is_trusted(url, renewed):
            assert time.monotonic() < deadline
            time.sleep(0.2)


def is_trusted(url: str, context: ssl.SSLContext) -> bool:
    """Whether the certificate at a url is the context's."""
    try:
        got(url, context)
    except urllib.error.URLError:
        return False
    return True
