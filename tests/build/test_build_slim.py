"""Whole builds of students, with the command that builds any checkpoint."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ernie_triton.batch import TokenBatch
from tests.build.models import LABELS, random_rows
from tests.build.slim_students import pair_types, save_checkpoint, student, torch_logits
from tests.build.test_build import STEPS, engine_settings, manifest_in, served_logits
from tests.commands import Run

LENGTHS = (9, 2, 100, 33)


def batch_of(*, pair: bool) -> TokenBatch:
    batch = random_rows(LENGTHS)
    if not pair:
        return batch
    types = pair_types(batch.lengths)
    return TokenBatch(input_ids=batch.input_ids, token_type_ids=types, lengths=batch.lengths)


@pytest.mark.parametrize(
    ("name", "engine", "layout", "pair"),
    [
        ("bigrams", "onnxruntime", "packed", False),
        ("bigrams", "openvino", "padded", True),
        ("windows", "onnxruntime", "padded", True),
        ("windows", "openvino", "packed", True),
        ("windows", "openvino", "packed", False),
    ],
)
def test_a_student_becomes_a_pipeline_that_answers_as_it(
    tmp_path: Path, run: Run, name: str, engine: str, layout: str, pair: bool
) -> None:
    module = student(name, pair=pair)
    folder = save_checkpoint(module, tmp_path / "student")
    repository = tmp_path / "models"
    options = ("--task", "seq_cls", "--engine", engine, "--layout", layout)
    pairs = ("--pair",) if pair else ()
    done = run("build", "--checkpoint", folder, "--repository", repository, *options, *pairs)
    assert (done.code, done.steps, done.other_lines) == (0, STEPS, [])
    batch = batch_of(pair=pair)
    found = served_logits(repository, batch)
    np.testing.assert_allclose(found, torch_logits(module, batch), rtol=0, atol=2e-5)
    made = manifest_in(repository)
    assert made["exactness"]["reference"] == "NumPy in float64"
    assert made["exactness"]["largest_difference"] < 1e-4
    assert made["model"] == {
        "layers": 0,
        "hidden": 8,
        "heads": [],
        "feed_forward": [],
        "parameters": sum(weights.numel() for weights in module.parameters()),
        "vocabulary_size": 60,
        "labels": list(LABELS),
        "max_positions": 160,
        "kind": module.slim.kind,
    }
    said = {"bow": "bag of words", "cnn": "convolution"}[module.slim.kind]
    assert f"model     {said} over word vectors of 8, " in done.stdout
    assert engine_settings(repository).threads == 1


@pytest.mark.parametrize(
    ("task", "labels", "name"),
    [("multi_label", 5, "ernie_multilabel"), ("regression", 1, "ernie_regression")],
)
def test_the_task_that_it_was_taught_is_built(
    tmp_path: Path, run: Run, task: str, labels: int, name: str
) -> None:
    module = student("windows", labels=labels)
    folder = save_checkpoint(module, tmp_path / "student", task=task)
    arguments = ("--checkpoint", folder, "--repository", tmp_path / "models", "--threads", 2)
    done = run("build", *arguments, "--task", "seq_cls")
    assert done.code == 0, done.stderr
    assert manifest_in(tmp_path / "models", name)["task"] == task
    assert engine_settings(tmp_path / "models", name).threads == 2


def test_bf16_is_openvino_s_own_matter(tmp_path: Path, run: Run) -> None:
    module = student("windows")
    folder = save_checkpoint(module, tmp_path / "student")
    arguments = ("--checkpoint", folder, "--repository", tmp_path / "models", "--task", "seq_cls")
    done = run("build", *arguments, "--precision", "bf16", "--tolerance", 0.2)
    assert done.code == 0, done.stderr
    found = served_logits(tmp_path / "models", random_rows(LENGTHS))
    expected = torch_logits(module, random_rows(LENGTHS))
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.2)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (
            ("--precision", "int8"),
            "in fp32, or in bf16 by openvino; found the engine auto in int8",
        ),
        (
            ("--engine", "onnxruntime", "--precision", "fp16"),
            "found the engine onnxruntime in fp16",
        ),
        (("--engine", "tensorrt", "--device", "gpu"), "found the engine tensorrt in fp32 on gpu"),
        (("--pair",), "pairs need two token types and the model has one"),
        (("--max-length", 161), "max_length is 161 but the model has positions for 160 tokens"),
    ],
)
def test_what_a_student_cannot_be_built_as_is_refused(
    tmp_path: Path, run: Run, options: tuple[Any, ...], fault: str
) -> None:
    folder = save_checkpoint(student("bigrams"), tmp_path / "student")
    arguments = ("--checkpoint", folder, "--repository", tmp_path / "models", "--task", "seq_cls")
    done = run("build", *arguments, *options)
    assert done.code == 1
    assert fault in done.other_lines[-1]
    assert not (tmp_path / "models/ernie_seqcls").exists()


def test_a_student_of_pairs_wants_pairs(tmp_path: Path, run: Run) -> None:
    folder = save_checkpoint(student("bigrams", pair=True), tmp_path / "student")
    done = run("build", "--checkpoint", folder, "--repository", tmp_path / "m", "--task", "seq_cls")
    assert done.code == 1
    assert f"the bow student in {folder} reads pairs; add --pair" in done.other_lines[-1]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bigrams", "bow, 37 bigrams"),
        ("words", "bow, 0 bigrams"),
        ("windows", "cnn, windows of 1 x 5, 2 x 6, 3 x 7 features"),
    ],
)
def test_inspect_says_what_a_student_is(tmp_path: Path, run: Run, name: str, said: str) -> None:
    folder = save_checkpoint(student(name), tmp_path / "student")
    done = run("inspect", folder)
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert lines["student"] == said
    assert lines["tokens"] == "60 in the vocabulary, pad 0"
    assert lines["head"] == "relu pooler, then 5 scores of each text"
    assert lines["labels"] == ", ".join(LABELS)
