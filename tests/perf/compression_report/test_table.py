"""The table says what was measured, where, and what is not to be trusted."""

import csv
import io

from ernie_triton.perf.compression_report.table import csv_text, markdown
from tests.perf.compression_report.figures import report, row

ROWS = (
    row("original", "fp32", points=95.0, qps=200.0),
    row("original", "bf16", points=95.004, qps=400.0),
    row("pruned", "int8", points=94.5, qps=700.0, unstable=("the machine was busy",)),
)


def test_the_markdown_has_a_line_for_each_variant() -> None:
    lines = markdown(report(*ROWS)).splitlines()
    assert lines[0] == "# teacher on tnews, 6 layers x 768"
    assert lines[2] == (
        "| model | accuracy | loss, points | size, MiB | parameters, M | QPS | p50, ms | p99, ms "
        "| speed-up |"
    )
    assert lines[4] == (
        "| original FP32 | 95.00 | 0.00 | 3.0 | 75.43 | 200 | 5.00 | 15.00 | 1.00x (1.00 to 1.00) |"
    )
    assert "| 95.00 | 0.00 |" in lines[5]
    assert lines[6] == (
        "| pruned INT8 | 94.50 | 0.50 | 3.0 | 75.43 | 700† | 1.43† | 4.29† "
        "| 3.50x (3.50 to 3.50)† |"
    )


def test_the_notes_tell_machine_date_and_what_is_unstable() -> None:
    text = markdown(report(*ROWS))
    assert "medians of 3 rounds of 6 s, on 600 texts" in text
    assert "2026-01-02, 2 cores of A Processor, 24 GiB, Debian, commit abc." in text
    assert "openvino 2026.4.1" in text
    assert "original BF16 0.012" in text
    assert "- pruned INT8: the machine was busy." in text
    assert "†" not in markdown(report(*ROWS[:2]))


def test_the_csv_has_every_figure_unrounded() -> None:
    (first, _, last) = csv.DictReader(io.StringIO(csv_text(report(*ROWS))))
    assert float(first["qps_lowest"]) == 180.0
    assert float(last["p50_ms_median"]) == 1000 / 700
    assert float(last["speed_up_highest"]) == 3.5
    assert (last["parameters"], last["size_bytes"]) == ("75430000", str(3 << 20))
    assert last["unstable"] == "the machine was busy"
