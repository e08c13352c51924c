"""One run of the benchmark gives a row for every subject that the processor can run."""

import pytest

import ernie_triton.perf.machine
from ernie_triton.model_shapes import FAMILY, Shape
from ernie_triton.perf.engines.benchmark import SUBJECTS
from tests.commands import Run


@pytest.mark.parametrize("has_bf16", [True, False])
def test_one_command_prints_every_subject_s_ratio_to_the_exported_graph(
    run: Run, monkeypatch: pytest.MonkeyPatch, has_bf16: bool
) -> None:
    # On a processor without BF16 OpenVINO runs such an engine in FP32.
    precisions = {"fp32", "int8", "bf16"} if has_bf16 else {"fp32", "int8"}
    monkeypatch.setattr(ernie_triton.perf.machine, "cpu_precisions", lambda: precisions)
    # The family's own shapes take a minute; the table of shapes is data.
    shape = Shape(layers=1, hidden=24, heads=3, feed_forward=40)
    monkeypatch.setitem(FAMILY, "tiny", shape)
    options = ("--shape", "tiny", "--batch", 4, "--rounds", 1, "--threads", 1)
    done = run("benchmark", *options)
    assert done.code == 0
    left_out = "" if has_bf16 else "bf16 is left out: this processor has no BF16\n"
    assert done.stderr == f"{left_out}tiny: exporting with torch …\ntiny: round 1 of 1\n"
    heading, empty, *rows = done.stdout.rstrip().splitlines()
    assert heading.startswith("ERNIE 3.0 tiny (1 x 24), batch 4, title-like lengths")
    assert empty == ""
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells[2:]] == [
        subject.name for subject in SUBJECTS if subject.precision in precisions
    ]
    baseline = cells[2]
    assert baseline[2:] == ["1.00x (1.00 to 1.00)", "0.0e+00"]
    for name, speed, ratio, difference in cells[2:]:
        assert float(speed.replace(",", "")) > 0
        assert float(ratio.split("x")[0]) > 0
        assert float(difference) <= (2e-2 if "bf16" in name else 1e-4)
