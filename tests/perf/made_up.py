"""Results that nobody measured."""

from ernie_triton.perf.results import (
    Latency,
    MachineFacts,
    Measurement,
    RequestLoad,
    ScenarioRun,
    Subject,
)


def measurement(
    name: str,
    *,
    qps: float = 100.0,
    p50_us: float = 1000.0,
    level: float = 32.0,
    batch_size: int = 1,
    shape: str = "",
    precision: str = "",
    of_maximum: float = 0.0,
    unstable: tuple[str, ...] = (),
) -> Measurement:
    """A subject under a closed loop; its 99th percentile is three times the median."""
    latency = Latency(
        mean_us=p50_us, p50_us=p50_us, p90_us=2 * p50_us, p95_us=2 * p50_us, p99_us=3 * p50_us
    )
    return Measurement(
        subject=Subject(name=name, model=name, shape=shape, precision=precision),
        load=RequestLoad(
            mode="concurrency", level=level, batch_size=batch_size, of_maximum=of_maximum
        ),
        qps=qps,
        latency=latency,
        unstable=unstable,
    )


def machine(processor: str = "a processor") -> MachineFacts:
    """Some machine."""
    return MachineFacts(
        processor=processor,
        cores=2,
        memory_bytes=1,
        system="a system",
        accelerator="",
        versions={"python": "3"},
    )


def run_of(*measurements: Measurement, processor: str = "a processor") -> ScenarioRun:
    """A run of these."""
    return ScenarioRun(
        scenario="made_up",
        title="made up",
        texts="",
        client="",
        server="",
        machine=machine(processor),
        commit="",
        started_at="2026-01-01T00:00:00+00:00",
        measurements=measurements,
    )
