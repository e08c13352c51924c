"""Options describe the same pipeline as a TOML file, and go before what the file says."""

import argparse
import math
import re
from pathlib import Path

import pytest

from ernie_triton.build.commands.build_options import add_build_options, spec_from_options
from ernie_triton.errors import PipelineError, UsageError
from ernie_triton.pipeline import Answering, Batching, PipelineSpec, Quantization

NEEDED = ("--checkpoint", "a", "--task", "multi_label", "--repository", "b")


def spec_from(*arguments: str) -> PipelineSpec:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_build_options(parser)
    values = vars(parser.parse_args(arguments))
    sources = values.pop("sources")
    given = {name: value for name, value in values.items() if value is not None}
    return spec_from_options(sources[0] if sources else None, given)


@pytest.fixture
def pipeline(tmp_path: Path) -> str:
    path = tmp_path / "pipeline.toml"
    path.write_text(
        'task = "qa"\ncheckpoint = "in"\nrepository = "out"\nmax_length = 64\n'
        "[batching]\nmax_batch_size = 16\nmax_queue_size = 9\n"
        "[answering]\nn_best = 3\nmax_windows = 40\nthresholds = { A = 0.1, default = 0.2 }\n",
        encoding="utf-8",
    )
    return str(path)


def test_the_rest_is_the_contract_s_default() -> None:
    expected = PipelineSpec(checkpoint=Path("a"), task="multi_label", repository=Path("b"))
    assert spec_from(*NEEDED) == expected


def test_every_option_lands_in_its_place() -> None:
    general = "--name p --version 2 --labels l --vocab v --texts t --pair --max-length 32"
    engine = "--engine onnxruntime --precision fp32 --layout padded --threads 3 --tolerance 0.1"
    int8 = "--calibration c --calibrator entropy --data d --allowed-loss 0.3 --allowed-changes 0.02"
    batching = "--max-batch-size 4 --max-queue-delay-us 5 --max-queue-size 6"
    answers = (
        "--overlap 7 --max-windows 8 --per-token --max-answer-tokens 9 --n-best 10 "
        "--no-answer-threshold -1.5 --pooling mean --no-normalize --threshold 0.3"
    )
    options = " ".join((general, engine, int8, batching, answers)).split()
    assert spec_from(*NEEDED, *options) == PipelineSpec(
        checkpoint=Path("a"),
        task="multi_label",
        repository=Path("b"),
        name="p",
        version=2,
        labels=Path("l"),
        vocab=Path("v"),
        texts=Path("t"),
        pair=True,
        max_length=32,
        engine="onnxruntime",
        precision="fp32",
        layout="padded",
        threads=3,
        tolerance=0.1,
        quantization=Quantization(
            calibration=Path("c"),
            calibrator="entropy",
            data=Path("d"),
            allowed_loss=0.3,
            allowed_changes=0.02,
        ),
        batching=Batching(max_batch_size=4, max_queue_delay_us=5, max_queue_size=6),
        answering=Answering(
            overlap=7,
            max_windows=8,
            per_token=True,
            max_answer_tokens=9,
            n_best=10,
            no_answer_threshold=-1.5,
            thresholds={"default": 0.3},
            pooling="mean",
            normalize=False,
        ),
    )


def test_the_loss_is_not_measured_on_what_was_calibrated_on() -> None:
    with pytest.raises(PipelineError, match="calibration and data are both d; calibrate on other"):
        spec_from(*NEEDED, "--calibration", "d", "--data", "d")


def test_options_go_before_the_file_and_leave_the_rest_of_it(pipeline: str, tmp_path: Path) -> None:
    spec = spec_from(
        pipeline, "--max-length", "32", "--max-queue-size", "5", "--no-answer-threshold", "0"
    )
    assert spec == PipelineSpec(
        checkpoint=tmp_path / "in",
        task="qa",
        repository=tmp_path / "out",
        max_length=32,
        batching=Batching(max_batch_size=16, max_queue_size=5),
        answering=Answering(
            n_best=3,
            max_windows=40,
            no_answer_threshold=0.0,
            thresholds={"A": 0.1, "default": 0.2},
        ),
    )


def test_a_switch_can_be_turned_back(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text(
        'task = "token_cls"\ncheckpoint = "in"\nrepository = "out"\n'
        "[answering]\nper_token = true\nnormalize = false\n",
        encoding="utf-8",
    )
    assert spec_from(str(path)).answering == Answering(per_token=True, normalize=False)
    turned = spec_from(str(path), "--no-per-token", "--normalize").answering
    assert turned == Answering(normalize=True)


@pytest.mark.parametrize(
    ("given", "thresholds"),
    [
        (("0.4",), {"default": 0.4}),
        (("体育=0.3",), {"体育": 0.3}),
        (("0.4", "体育=0.3", "a=b=1"), {"default": 0.4, "体育": 0.3, "a=b": 1.0}),
        (("体育=0.3", "体育=0.6"), {"体育": 0.6}),
    ],
)
def test_thresholds_are_of_labels_or_of_all_others(
    given: tuple[str, ...], thresholds: dict[str, float]
) -> None:
    options = [option for entry in given for option in ("--threshold", entry)]
    assert spec_from(*NEEDED, *options).answering.thresholds == thresholds


@pytest.mark.parametrize("entry", ["体育", "体育=", "体育=many", "=", ""])
def test_a_threshold_without_number_is_wrong_usage(
    entry: str,
) -> None:
    expected = f"--threshold is {entry!r}; expected NUMBER or LABEL=NUMBER"
    with pytest.raises(UsageError, match=re.escape(expected)):
        spec_from(*NEEDED, "--threshold", entry)


@pytest.mark.parametrize("value", ["-0.1", "1.1", "nan", "inf"])
def test_a_threshold_that_is_no_probability_is_refused(value: str) -> None:
    with pytest.raises(PipelineError, match=rf"the threshold of 体育 is {value}; expected 0 to 1"):
        spec_from(*NEEDED, "--threshold", f"体育={value}")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--overlap", "-1"), "overlap is -1; expected at least 0"),
        (("--max-windows", "0"), "max_windows is 0; expected at least 1"),
        (("--max-answer-tokens", "0"), "max_answer_tokens is 0; expected at least 1"),
        (("--n-best", "0"), "n_best is 0; expected at least 1"),
    ],
)
def test_numbers_out_of_range_are_refused(options: tuple[str, ...], fault: str) -> None:
    with pytest.raises(PipelineError, match=fault):
        spec_from(*NEEDED, *options)


def test_a_checkpoint_is_all_that_is_needed() -> None:
    with pytest.raises(UsageError, match="name a CHECKPOINT: a folder, an exported file or a"):
        spec_from("--task", "qa")


def test_the_repository_and_the_name_have_defaults() -> None:
    spec = spec_from("a", "--task", "qa")
    assert (spec.checkpoint, spec.name) == (Path("a"), "ernie_qa")
    assert spec.repository == Path("model_repository")


def test_a_checkpoint_option_may_name_a_pipeline_file(pipeline: str, tmp_path: Path) -> None:
    assert spec_from("--checkpoint", pipeline) == spec_from(pipeline)
    assert spec_from(pipeline).checkpoint == tmp_path / "in"


def test_a_checkpoint_option_replaces_the_checkpoint_of_a_pipeline_file(pipeline: str) -> None:
    spec = spec_from(pipeline, "--checkpoint", "other")
    assert (spec.checkpoint, spec.task, spec.max_length) == (Path("other"), "qa", 64)


@pytest.mark.parametrize("source", ["a", "pipeline"])
def test_two_checkpoints_are_wrong_usage_that_names_both(source: str, pipeline: str) -> None:
    given = pipeline if source == "pipeline" else source
    option = pipeline if source == "pipeline" else "b"
    with pytest.raises(UsageError, match=f"two checkpoints, {given} and --checkpoint {option}"):
        spec_from(given, "--checkpoint", option, "--task", "qa")


@pytest.fixture
def quantized(tmp_path: Path) -> Path:
    """A checkpoint folder with the pipeline that builds it, as `quantize` leaves it."""
    folder = tmp_path / "quantized"
    folder.mkdir()
    (folder / "pipeline.toml").write_text(
        'task = "seq_cls"\ncheckpoint = "."\nrepository = "model_repository"\nprecision = "int8"\n',
        encoding="utf-8",
    )
    (folder / "other.toml").write_text("[unrelated]\n", encoding="utf-8")
    return folder


def test_the_one_pipeline_file_in_a_checkpoint_folder_is_built(
    quantized: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = spec_from(str(quantized), "--name", "p")
    assert (spec.precision, spec.checkpoint, spec.name) == ("int8", quantized, "p")
    assert f"{quantized / 'pipeline.toml'}; --checkpoint {quantized} builds" in (
        capsys.readouterr().err
    )
    assert spec_from("--checkpoint", str(quantized), "--task", "seq_cls").precision == "fp32"


def test_several_pipeline_files_in_a_checkpoint_folder_are_wrong_usage(quantized: Path) -> None:
    content = (quantized / "pipeline.toml").read_bytes()
    (quantized / "pipeline.gpu.toml").write_bytes(content)
    with pytest.raises(UsageError, match=r"pipelines pipeline\.gpu\.toml, pipeline\.toml; name"):
        spec_from(str(quantized))


@pytest.mark.parametrize(
    "option", [("--pooling", "top"), ("--no-answer-threshold", "never"), ("--task", "ner")]
)
def test_values_that_no_option_has_are_wrong_usage(option: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        spec_from(*NEEDED, *option)
    assert caught.value.code == 2


def test_a_model_that_always_answers_is_the_default() -> None:
    assert spec_from(*NEEDED).answering.no_answer_threshold == math.inf
    given = spec_from(*NEEDED, "--no-answer-threshold", "inf")
    assert given.answering.no_answer_threshold == math.inf
