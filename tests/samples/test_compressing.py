"""Teachers of real texts, compressed and summed up, on a few lines."""

from pathlib import Path

import pytest

from ernie_triton.model_shapes import Shape
from samples.bases import write_base
from samples.cli import SAMPLE_VOCABULARY, main
from samples.compressing import RealCompression, compress_real
from tests.samples.real_package import write_package

TINY = Shape(layers=2, hidden=32, heads=2, feed_forward=64)


@pytest.mark.live
def test_a_seed_has_a_teacher_whose_report_becomes_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, output = tmp_path / "real", tmp_path / "compressed"
    write_package(data, monkeypatch)
    assert main(["real", "--output", str(data)]) == 0
    write_base(TINY, SAMPLE_VOCABULARY, output / "base")
    wanted = RealCompression(
        data=data,
        vocab=SAMPLE_VOCABULARY,
        output=output,
        seeds=(3,),
        names=("reviews",),
        epochs=1,
        options=("--only", "report", "--quick", "--precision", "bf16"),
    )
    capsys.readouterr()
    assert compress_real(wanted) == 0
    done = capsys.readouterr()
    assert done.out.splitlines()[-1] == str(output / "reviews.md")
    table = (output / "reviews.md").read_text(encoding="utf-8")
    assert "| original FP32 |" in table
    assert "teacher of its own (1)" in table
    assert "answers to 4 examples" in table  # those held out
    assert done.err.count("$ ernie-triton ") == 3
    assert compress_real(wanted) == 0
    assert capsys.readouterr().err.count(" is there") == 3
