"""A base without weights."""

from pathlib import Path

import pytest

from ernie_triton.build.torch_models.checkpoints import load_model, load_tokenizer
from ernie_triton.build.torch_models.layer_widths import widths_of
from samples.cli import main
from samples.paths import SAMPLE_VOCABULARY


def test_a_base_becomes_a_model_of_its_sizes_with_the_samples_vocabulary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--layers", "3", "--hidden", "32", "--heads", "4"]
    assert main(["base", "--output", str(tmp_path / "base"), *sizes]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "base")
    model = load_model(tmp_path / "base", task="seq_cls", labels=("a", "b", "c"))
    widths = widths_of(model)
    assert [(one.heads, one.feed_forward) for one in widths] == [(4, 128)] * 3
    assert model.get_input_embeddings().weight.shape == (
        len(SAMPLE_VOCABULARY.read_text(encoding="utf-8").splitlines()),
        32,
    )
    assert load_tokenizer(tmp_path / "base", max_length=16).encode(["手机"]).lengths.tolist() == [4]


@pytest.mark.parametrize(("heads", "message"), [("5", "5 heads do not divide"), ("4", "exists")])
def test_what_cannot_be_is_said_in_a_line(
    heads: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "base"
    if message == "exists":
        output.mkdir()
    command = ["base", "--output", str(output), "--hidden", "32", "--heads", heads]
    assert main(command) == 1
    assert message in capsys.readouterr().err
