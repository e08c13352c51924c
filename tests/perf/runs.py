"""Measurements to make tables and plots of."""

from ernie_triton.perf.results import (
    CONCURRENCY,
    Latency,
    MachineFacts,
    Measurement,
    RequestLoad,
    ScenarioRun,
    StageTimes,
    Subject,
)


def a_measurement(
    *,
    subject: str = "nano int8",
    level: float = 8.0,
    qps: float = 500.0,
    p50_ms: float = 10.0,
    mode: str = CONCURRENCY,
    batch_size: int = 1,
    accuracy: float | None = None,
) -> Measurement:
    shape, _, precision = subject.partition(" ")
    stage = StageTimes(
        queue_us=1000.0,
        input_us=100.0,
        compute_us=2000.0,
        output_us=400.0,
        executions=50,
        batch=level / 2,
    )
    return Measurement(
        subject=Subject(
            name=subject,
            model=f"ernie_{shape}_{precision}",
            shape=shape,
            engine="openvino",
            precision=precision,
            layout="packed",
            accuracy=accuracy,
            metric="accuracy",
        ),
        load=RequestLoad(mode=mode, level=level, batch_size=batch_size),
        qps=qps,
        latency=Latency(
            mean_us=p50_ms * 1100,
            p50_us=p50_ms * 1000,
            p90_us=p50_ms * 1400,
            p95_us=p50_ms * 1600,
            p99_us=p50_ms * 2000,
        ),
        stages={"tokenizer": stage, "engine": stage, "postprocess": stage},
        server_cores=1.5,
        server_memory_bytes=400 << 20,
        stage_memory_bytes={"engine": 300 << 20},
        other_load=0.05,
        checked_answers=40,
        variation=0.03,
    )


def a_run(*measurements: Measurement, failures: tuple[str, ...] = ()) -> ScenarioRun:
    return ScenarioRun(
        scenario="cpu",
        title="ERNIE on CPU",
        texts="titles: 24 tokens",
        client="perf_analyzer 2.51.0, same machine",
        server="Triton 2.51.0 at this machine",
        machine=MachineFacts(
            processor="a processor",
            cores=2,
            memory_bytes=8 << 30,
            system="Linux",
            accelerator="",
            versions={"python": "3.11"},
        ),
        commit="0123456789ab",
        started_at="2026-11-22T01:02:03+00:00",
        measurements=measurements,
        failures=failures,
    )
