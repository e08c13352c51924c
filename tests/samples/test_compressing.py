"""Teachers of real texts, compressed and summed up, on a few lines."""

from pathlib import Path

import pytest

from ernie_triton.model_shapes import Shape
from samples.bases import write_base
from samples.cli import main
from samples.compressing import RealCompression, compress_real
from samples.paths import SAMPLE_VOCABULARY
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


def test_a_given_base_needs_no_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "words").mkdir()
    given: list[list[str]] = []

    def refuse(words: list[str]) -> int:
        given.append(words)
        return 3

    monkeypatch.setattr("samples.compressing.ernie_triton", refuse)
    base = tmp_path / "pre-trained"
    command = ["compress", "--data", str(tmp_path), "--output", str(tmp_path / "out")]
    command += ["--name", "reviews", "--base", str(base), "--epochs", "2"]
    assert main([*command, "--learning-rate", "1e-4"]) == 3
    [words] = given
    assert words[:2] == ["finetune", "seq_cls"]
    assert words[words.index("--checkpoint") + 1] == str(base)
    assert words[words.index("--data") + 1] == str(tmp_path / "reviews")
    assert words[words.index("--epochs") + 1] == "2"
    assert words[words.index("--learning-rate") + 1] == "0.0001"
