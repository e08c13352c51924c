"""A setting on the real server: its cores and its configuration are those that were asked for."""

import os
from pathlib import Path

import pytest

from ernie_triton.client.transport import Connection, GrpcTransport
from ernie_triton.client.wire import Endpoint
from ernie_triton.perf.analyzer.text_spec import TextSpec
from ernie_triton.perf.analyzer.texts import TITLES
from ernie_triton.perf.tuning.bench import BenchOptions, ServerBench
from ernie_triton.perf.tuning.setting import Setting
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.server.stage_processes import is_running, stage_processes
from tests.perf.conftest import Tiny

pytestmark = pytest.mark.live

SETTING = Setting(threads=1, instances=2, max_batch_size=16, max_queue_delay_us=500)


def test_a_server_has_the_cores_and_the_setting_and_is_gone_afterwards(tiny: Tiny) -> None:
    core = max(os.sched_getaffinity(0))
    options = BenchOptions(
        spec=PipelineSpec(
            checkpoint=tiny.checkpoint,
            task="seq_cls",
            repository=tiny.repository,
            name=tiny.pipeline,
            joined=False,
        ),
        texts=TextSpec(kinds=(TITLES,), entries=16),
        concurrency=2,
        rows=3,
        cores=frozenset({core}),
        warm_up_s=0.6,
    )
    before = os.sched_getaffinity(0)
    with ServerBench(options, 0.75, lambda _: None) as bench:
        serving = bench.serving(SETTING)
        assert serving.pid is not None
        stages = stage_processes(serving.pid)
        for pid in (serving.pid, *stages):
            threads = {int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()}
            assert {frozenset(os.sched_getaffinity(thread)) for thread in threads} == {
                frozenset({core})
            }
        assert sorted(stages.values()).count("tiny_engine") == 2
        transport = GrpcTransport(
            Connection(endpoint=Endpoint(url=serving.url, model=tiny.pipeline))
        )
        assert transport.facts(10.0).max_batch_size == 16
        transport.close()
        figure = bench.figure(SETTING)
        assert figure.texts_per_s > 0
        assert 0 < figure.p50_ms <= figure.p99_ms
        assert bench.serving(SETTING).pid == serving.pid
    assert os.sched_getaffinity(0) == before
    assert not is_running(serving.pid)
