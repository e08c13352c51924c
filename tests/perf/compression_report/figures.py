"""A report of hand-made figures."""

from ernie_triton.perf.compression_report.content import CompressionReport, VariantRow
from ernie_triton.perf.paired import spread
from ernie_triton.perf.results import MachineFacts

MACHINE = MachineFacts(
    processor="A Processor",
    cores=2,
    memory_bytes=24 << 30,
    system="Debian",
    accelerator="",
    versions={"python": "3.11.7", "openvino": "2026.4.1"},
)


def row(
    model: str, precision: str, *, points: float, qps: float, unstable: tuple[str, ...] = ()
) -> VariantRow:
    return VariantRow(
        name=f"{model} {precision.upper()}",
        model=model,
        engine="openvino",
        precision=precision,
        layers=6,
        hidden=768,
        parameters=75_430_000,
        size_bytes=3 << 20,
        points=points,
        lost=95.0 - points,
        qps=spread([0.9 * qps, qps, 1.2 * qps]),
        p50_ms=spread([1000 / qps]),
        p99_ms=spread([3000 / qps]),
        speed_up=spread([qps / 200]),
        largest_difference=0.0123,
        unstable=unstable,
    )


def report(*rows: VariantRow) -> CompressionReport:
    return CompressionReport(
        title="teacher on tnews, 6 layers x 768",
        task="seq_cls",
        metric="accuracy",
        examples=600,
        texts=600,
        rounds=3,
        seconds=6.0,
        machine=MACHINE,
        commit="abc",
        started_at="2026-01-02T03:04:05+00:00",
        rows=rows,
    )
