"""TLS, certificates of clients and a key of clients, on a real server; certificates are renewed."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ernie_triton.client.tasks.seq_cls import AsyncSeqClsClient, SeqClsClient
from ernie_triton.errors import RequestRefusedError, ServerError, ServerUnavailableError
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.tls_front import TlsFiles
from tests.certificates import KEY, make_certificates
from tests.commands import Run
from tests.conftest import options_for

pytestmark = pytest.mark.live

MODEL = "ernie_seqcls"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates; `live.pem` and `live.key` are what the server reads, at first the server's."""
    folder = make_certificates(tmp_path_factory.mktemp("pem"))
    for kind in ("pem", "key"):
        shutil.copy(folder / f"server.{kind}", folder / f"live.{kind}")
    return folder


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


def test_with_a_key_of_clients_a_stage_can_still_be_brought_back(secured: EmbeddedServer) -> None:
    stages = {f"{MODEL}_{part}" for part in ("tokenizer", "engine", "postprocess")}
    assert secured.control.pipelines() == {MODEL: stages}


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
