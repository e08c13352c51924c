"""TLS, certificates of clients and a key of clients, on a real server; certificates are renewed."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ernie_triton.client.seq_cls import AsyncSeqClsClient, SeqClsClient
from ernie_triton.errors import RequestRefusedError, ServerError, ServerUnavailableError
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.tls_front import TlsFiles
from tests.commands import Run
from tests.conftest import options_for

pytestmark = pytest.mark.live

MODEL = "ernie_seqcls"
KEY = "k" * 32


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two authorities, a server's certificate of each, and a client's of the first.

    `live.pem` and `live.key` are what the server reads, at first a copy of `server.pem`.
    """
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    folder = tmp_path_factory.mktemp("pem")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n", encoding="ascii")
    for authority in ("ca", "next_ca"):
        _openssl(folder, f"req -x509 -days 2 {_new_key(authority)} -out {authority}.pem")
    for name, authority in (("server", "ca"), ("client", "ca"), ("renewed", "next_ca")):
        _openssl(folder, f"req {_new_key(name)} -out {name}.csr")
        signing = f"-CA {authority}.pem -CAkey {authority}.key -CAcreateserial -extfile names"
        _openssl(folder, f"x509 -req -days 2 -in {name}.csr {signing} -out {name}.pem")
    for kind in ("pem", "key"):
        shutil.copy(folder / f"server.{kind}", folder / f"live.{kind}")
    (folder / "api_key").write_text(f"{KEY}\n", encoding="ascii")
    return folder


def _new_key(name: str) -> str:
    return f"-newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key"


def _openssl(folder: Path, arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def secured(repository: Path, pem: Path) -> Iterator[EmbeddedServer]:
    files = TlsFiles(certificate=pem / "live.pem", key=pem / "live.key", client_ca=pem / "ca.pem")
    options = replace(options_for(repository, MODEL), http_port=None, tls=files, client_key=KEY)
    with EmbeddedServer(options) as running:
        yield running


def client(server: EmbeddedServer, pem: Path, ca: str = "ca", key: str = KEY) -> SeqClsClient:
    return SeqClsClient(
        server.url,
        MODEL,
        retries=0,
        timeout_s=30,
        ca_file=pem / f"{ca}.pem",
        certificate=pem / "client.pem",
        key=pem / "client.key",
        api_key=key,
    )


def test_every_kind_of_client_is_answered(secured: EmbeddedServer, pem: Path, run: Run) -> None:
    async def ask() -> str:
        async with AsyncSeqClsClient(
            secured.url,
            MODEL,
            ca_file=pem / "ca.pem",
            certificate=pem / "client.pem",
            key=pem / "client.key",
            api_key=KEY,
        ) as connected:
            return (await connected.classify(["央行降息"]))[0].best.name

    with client(secured, pem) as connected:
        assert connected.classify(["央行降息"])[0].best.name == "news_finance"
    assert asyncio.run(ask()) == "news_finance"
    options = ["--url", secured.url, "--ca-file", pem / "ca.pem", "--api-key-file", pem / "api_key"]
    options += ["--client-cert", pem / "client.pem", "--client-key", pem / "client.key"]
    assert "news_finance" in run("ask", "seq_cls", *options, "--text", "央行降息").stdout
    repository = secured.options.repository
    assert MODEL in run("health", *options, "--repository", repository).stdout


def test_who_lacks_the_key_or_the_certificate_is_refused(
    secured: EmbeddedServer, pem: Path
) -> None:
    with client(secured, pem, key="") as keyless, pytest.raises(RequestRefusedError, match="key"):
        keyless.classify(["x"])
    for ca_file in (pem / "ca.pem", None):  # TLS without a certificate, and no TLS
        with (
            SeqClsClient(
                secured.url, MODEL, retries=0, timeout_s=10, ca_file=ca_file, api_key=KEY
            ) as stranger,
            pytest.raises(ServerUnavailableError),
        ):
            stranger.classify(["x"])


def test_a_renewed_certificate_needs_no_restart(secured: EmbeddedServer, pem: Path) -> None:
    with client(secured, pem) as connected:
        connected.classify(["x"])
        for kind in ("key", "pem"):
            (pem / f"renewed.{kind}").replace(pem / f"live.{kind}")
        with client(secured, pem, ca="next_ca") as newcomer:
            assert newcomer.classify(["央行降息"])[0].best.name == "news_finance"
        with client(secured, pem) as late, pytest.raises(ServerUnavailableError):
            late.classify(["x"])
        assert connected.classify(["央行降息"])[0].best.name == "news_finance"


def test_a_key_of_another_certificate_is_one_line(pem: Path) -> None:
    files = TlsFiles(certificate=pem / "server.pem", key=pem / "client.key")
    with pytest.raises(ServerError, match=r"TLS cannot use .*its own key"):
        files.context()
