"""One client of two servers: one of them is hung, killed and drained, and no request fails."""

import signal
import time
from pathlib import Path

import pytest

from ernie_triton.client.addresses import GIVEN_UP_AFTER_S
from ernie_triton.client.statistics import StatisticsClient
from ernie_triton.server.embedded import EmbeddedServer
from tests.live.balancing import MODEL, Load, Victim, answers_at, grpc_asking

pytestmark = pytest.mark.live


def requests_at(url: str) -> int:
    with StatisticsClient(url, MODEL) as statistics:
        return statistics.counts((MODEL,))[MODEL].requests


def test_a_server_that_hangs_dies_or_drains_costs_no_request(
    server: EmbeddedServer, repository: Path
) -> None:
    known = answers_at(server.url)
    victim = Victim(repository)
    load = Load(lambda: grpc_asking(f"{victim.url},{server.url}"), [known])
    try:
        with load.running(8):
            load.wait_for(64)
            assert requests_at(victim.url) > 16
            victim.signal_all(signal.SIGSTOP)
            time.sleep(GIVEN_UP_AFTER_S + 1)
            load.wait_for(64)
            victim.kill()
            load.wait_for(64)
            victim.start()
            before = requests_at(victim.url)
            while requests_at(victim.url) < before + 8:
                load.wait_for(16)
            victim.drain()
            load.wait_for(64)
    finally:
        victim.close()
    assert load.errors == []
    assert load.counts["wrong"] == 0
    assert max(load.latencies) < 45
