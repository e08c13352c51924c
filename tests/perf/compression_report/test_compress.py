"""`compress` from the command line: every step once, the report on them, and resuming."""

import csv
import dataclasses
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from ernie_triton.build.load import read_source
from ernie_triton.cli import main
from ernie_triton.errors import PipelineError
from ernie_triton.perf.compression_report.variants import variants_of
from ernie_triton.training.compression.compress import Compression
from ernie_triton.training.compression.steps import STEPS, chosen_steps
from ernie_triton.training.datasets import read_dataset
from tests.build.test_build import manifest_in
from tests.commands import Outcome, Run
from tests.paths import ROOT
from tests.training.compression.news import few_news

TEACHER = ROOT / "samples/checkpoints/tnews"
NAMES = [step.name for step in STEPS]
UNREPORTED = ("pruned", "pruned_int8", "distilled_int8", "slim_cnn")
"""Left out of the measured report: serving and loading all variants would take most of the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compressed:
    """Two finished runs, of all steps and of the report: their folder, data and messages."""

    output: Path
    data: Path
    steps: Outcome
    report: Outcome

    @property
    def command(self) -> list[str]:
        words = ["compress", TEACHER, "--data", self.data, "--output", self.output]
        words += ["--epochs", 1, "--engine", "onnxruntime", "--calibration-texts", 16]
        # INT8 of models that learned from so little may lose what it likes.
        return [str(word) for word in [*words, "--allowed-loss", 100]]


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> Compressed:
    """Every step on a few news; then the same command again, which measures some of the results."""
    folder = tmp_path_factory.mktemp("compress")
    nothing = Outcome(code=0, stdout="", stderr="")
    made = Compressed(
        output=folder / "all",
        data=few_news(folder / "news", train=48, dev=32),
        steps=nothing,
        report=nothing,
    )
    steps = _run([*made.command, "--skip", "report"])
    report = _run([*made.command, "--skip", ",".join(UNREPORTED), "--quick"])
    return dataclasses.replace(made, steps=steps, report=report)


def _run(words: list[str]) -> Outcome:
    stdout, stderr = StringIO(), StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        code = main(words)
    assert code == 0, stderr.getvalue()
    return Outcome(code=code, stdout=stdout.getvalue(), stderr=stderr.getvalue())


@pytest.fixture(scope="module")
def report(compressed: Compressed) -> Any:
    return json.loads((compressed.output / "report/report.json").read_text(encoding="utf-8"))


@pytest.mark.live
def test_every_step_leaves_a_checkpoint_and_a_line(compressed: Compressed) -> None:
    for number, name in enumerate(NAMES, 1):
        assert f"step {number} of {len(NAMES)}, {name} " in compressed.steps.stderr
        source = read_source(compressed.output / name)
        assert source.labels == read_source(TEACHER).labels
    left = {path.name for path in compressed.output.iterdir()}
    assert left == {*NAMES, "steps", "report", "model_repository"}
    for done in (compressed.steps, compressed.report):
        assert done.stdout.splitlines()[-1] == str(compressed.output)


@pytest.mark.live
def test_the_report_has_a_row_for_each_measured_variant(
    compressed: Compressed, report: Any
) -> None:
    names = [row["name"] for row in report["rows"]]
    assert [name for name in names if name != "original BF16"] == [
        "original FP32",
        "original INT8",
        "distilled FP32",
        "slim bow FP32",
    ]
    assert compressed.report.stderr.count("done before") == len(NAMES) - len(UNREPORTED)
    text = (compressed.output / "report/report.md").read_text(encoding="utf-8")
    assert text in compressed.report.stdout
    assert all(f"| {name} |" in text for name in names)
    with (compressed.output / "report/report.csv").open(encoding="utf-8") as file:
        assert [row["name"] for row in csv.DictReader(file)] == names
    assert text.count("shortened by --quick in 1 of 1 rounds") == len(names)
    for name in ("accuracy.png", "speed.png"):
        assert (compressed.output / "report" / name).stat().st_size > 10_000


@pytest.mark.live
def test_its_figures_are_those_of_other_sources(compressed: Compressed, report: Any) -> None:
    rows = {row["name"]: row for row in report["rows"]}
    first = rows["original FP32"]
    arrays = load_file(TEACHER / "model.safetensors")
    # The task type is part of the token types in what is counted.
    unused = sum(array.size for name, array in arrays.items() if "task_type" in name)
    assert first["parameters"] == sum(array.size for array in arrays.values()) - unused
    engine = compressed.output / "model_repository/original_fp32/1"
    files = [path for path in engine.iterdir() if path.suffix in (".xml", ".bin")]
    assert first["size_bytes"] == sum(path.stat().st_size for path in files)
    assert first["points"] == pytest.approx(transformers_points(compressed.data), abs=1e-6)
    for row in rows.values():
        assert row["lost"] == pytest.approx(first["points"] - row["points"])
        assert row["qps"]["median"] > 0
        assert row["p50_ms"]["median"] <= row["p99_ms"]["median"]
        assert row["speed_up"]["median"] == pytest.approx(
            row["qps"]["median"] / first["qps"]["median"]
        )
    int8 = rows["original INT8"]
    made = manifest_in(compressed.output / "model_repository", "original_int8")
    assert (int8["points"], int8["precision"]) == (made["quality"]["after"], "int8")
    assert rows["distilled FP32"]["layers"] == 1


def transformers_points(data: Path) -> float:
    """The accuracy that transformers has with our tokenizer's ids, text by text."""
    import torch
    from transformers import AutoModelForSequenceClassification

    from ernie_triton.tokenizer.encoder import TextEncoder
    from ernie_triton.tokenizer.vocabulary import load_vocabulary

    model: Any = AutoModelForSequenceClassification.from_pretrained(TEACHER)
    vocabulary = load_vocabulary(TEACHER / "vocab.txt")
    encoder = TextEncoder(vocabulary, max_length=128, lower_case=True)
    lines = (data / "dev.json").read_text(encoding="utf-8").splitlines()
    right: list[bool] = []
    for line in map(json.loads, lines):
        ids = torch.from_numpy(encoder.encode([line["sentence"]]).input_ids.astype(np.int64))
        with torch.no_grad():
            best = int(model.eval()(input_ids=ids[None]).logits.argmax())
        right.append(model.config.id2label[best] == line["label_desc"])
    return 100.0 * float(np.mean(right))


@pytest.mark.live
def test_a_finished_step_is_not_done_again_and_a_changed_one_is(
    compressed: Compressed, run: Run
) -> None:
    words = [*compressed.command, "--only", "pruned,pruned_int8"]
    weights = compressed.output / "pruned/model.safetensors"
    before = weights.stat().st_mtime_ns
    again = run(*words)
    assert again.code == 0, again.stderr
    assert again.stderr.count("done before") == 2
    assert weights.stat().st_mtime_ns == before

    (compressed.output / "pruned_int8/quantization.json").touch()
    changed = run(*words, "--width", "0.5")
    assert changed.code == 0, changed.stderr
    assert "done before" not in changed.stderr  # what is made of the pruned one is made anew too
    assert weights.stat().st_mtime_ns != before
    # The task's own data count as well: a line more, and everything is done again.
    with (compressed.data / "train.json").open("a", encoding="utf-8") as file:
        file.write((compressed.data / "dev.json").read_text(encoding="utf-8").splitlines()[0])
    third = run(*words[:-1], "pruned", "--width", "0.5")
    assert third.code == 0, third.stderr
    assert "done before" not in third.stderr


def test_the_variants_are_the_original_and_every_steps_result(tmp_path: Path) -> None:
    data = read_dataset("seq_cls", few_news(tmp_path / "news", train=4, dev=4))
    work = Compression(checkpoint=TEACHER, data=data, output=tmp_path)
    variants = {variant.name: variant for variant in variants_of(work, STEPS, ["bf16"])}
    assert list(variants) == [
        "original FP32",
        "original BF16",
        "original INT8",
        "pruned FP32",
        "pruned INT8",
        "distilled FP32",
        "distilled INT8",
        "slim bow FP32",
        "slim CNN FP32",
    ]
    assert variants["original BF16"].checkpoint == TEACHER
    assert variants["distilled INT8"].checkpoint == tmp_path / "distilled_int8"


def test_steps_are_chosen_with_those_they_need() -> None:
    def names(*arguments: Any, **options: Any) -> list[str]:
        return [step.name for step in chosen_steps(*arguments, **options)]

    assert names("seq_cls") == NAMES
    assert names("token_cls") == [name for name in NAMES if not name.startswith("slim")]
    assert names("seq_cls", ("pruned_int8",)) == ["pruned", "pruned_int8"]
    assert names("seq_cls", ("report",)) == []
    assert names("seq_cls", (), ("slim_bow", "report")) == [n for n in NAMES if n != "slim_bow"]


@pytest.mark.parametrize(
    ("task", "only", "skipped", "words"),
    [
        ("seq_cls", ("prune",), (), "there is no step 'prune'"),
        ("seq_cls", (), ("pruned",), "pruned_int8 needs pruned"),
        ("qa", ("slim_bow",), (), "slim_bow is for tasks on whole texts"),
    ],
)
def test_wrong_choices_are_refused(
    task: str, only: tuple[str, ...], skipped: tuple[str, ...], words: str
) -> None:
    with pytest.raises(PipelineError, match=words):
        chosen_steps(task, only, skipped)


def test_a_missing_data_file_is_one_line_and_nothing_is_made(tmp_path: Path, run: Run) -> None:
    data = few_news(tmp_path / "news", train=4, dev=4)
    (data / "dev.json").unlink()
    done = run("compress", TEACHER, "--data", data, "--output", tmp_path / "all")
    assert done.code == 1
    (line,) = [line for line in done.other_lines if line.startswith("error: ")]
    assert str(data) in line
    assert not (tmp_path / "all").exists()
