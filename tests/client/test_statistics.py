"""The server's own account, against requests that the test counts."""

import time

import pytest

from ernie_triton.client.statistics import StageCounts, StatisticsClient
from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.errors import ModelNotReadyError, ServerUnavailableError
from ernie_triton.server.embedded import EmbeddedServer

STAGES = ("ernie_seqcls_tokenizer", "ernie_seqcls_engine", "ernie_seqcls_postprocess")


def test_what_was_added_is_the_difference_of_every_count() -> None:
    before = StageCounts(
        requests=1,
        failures=2,
        rows=3,
        executions=4,
        queue_ns=5,
        input_ns=6,
        compute_ns=7,
        output_ns=8,
    )
    after = StageCounts(
        requests=11,
        failures=22,
        rows=33,
        executions=44,
        queue_ns=55,
        input_ns=66,
        compute_ns=77,
        output_ns=88,
    )
    assert after.since(before) == StageCounts(
        requests=10,
        failures=20,
        rows=30,
        executions=40,
        queue_ns=50,
        input_ns=60,
        compute_ns=70,
        output_ns=80,
    )


def test_a_server_that_is_away_is_an_error_of_ours() -> None:
    with (
        StatisticsClient("127.0.0.1:1", "ernie_seqcls", timeout_s=2.0) as statistics,
        pytest.raises(ServerUnavailableError, match=r"127\.0\.0\.1:1"),
    ):
        statistics.server_version()


@pytest.mark.live
def test_the_counts_of_each_stage_grow_by_what_is_asked(
    server: EmbeddedServer, client: SeqClsClient
) -> None:
    with StatisticsClient(server.url, "ernie_seqcls") as statistics:
        assert statistics.stages() == STAGES
        before = statistics.counts(STAGES)
        for _ in range(3):
            client.classify(["国足夺冠", "央行降息"])
        deadline = time.monotonic() + 10
        while True:  # Triton answers first, and counts then
            after = statistics.counts(STAGES)
            if all(after[stage].requests - before[stage].requests >= 3 for stage in STAGES):
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert statistics.server_version() == "2.51.0"
    for stage in STAGES:
        added = after[stage].since(before[stage])
        assert (added.requests, added.failures, added.rows) == (3, 0, 6)
        assert added.executions == 3
        assert added.compute_ns > 0


@pytest.mark.live
def test_a_model_that_is_not_there_is_an_error_of_ours(server: EmbeddedServer) -> None:
    with (
        StatisticsClient(server.url, "nothing") as statistics,
        pytest.raises(ModelNotReadyError, match="nothing"),
    ):
        statistics.stages()


@pytest.mark.live
def test_a_model_without_steps_is_its_own_stage(server: EmbeddedServer) -> None:
    with StatisticsClient(server.url, "ernie_seqcls_engine") as statistics:
        assert statistics.stages() == ("ernie_seqcls_engine",)
