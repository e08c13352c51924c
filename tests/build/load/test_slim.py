"""Students are read back as written; contradictions are refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ernie_triton.build.check.slim_reference import slim_outputs
from ernie_triton.build.load import read_source
from ernie_triton.build.load.slim import MODEL_TYPE
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.errors import CheckpointError, OtherTaskError
from tests.build.models import LABELS, random_rows, single_rows
from tests.build.slim_students import SHAPES, save_checkpoint, student, torch_logits


def changed_config(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    config = {**json.loads(path.read_text(encoding="utf-8")), **values}
    path.write_text(json.dumps(config), encoding="utf-8")


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("part", ["", "model.safetensors"])
def test_a_student_is_read_as_it_was_written(tmp_path: Path, name: str, part: str) -> None:
    module = student(name)
    source = read_source(save_checkpoint(module, tmp_path / "student") / part)
    assert isinstance(source.model, SlimModel)
    assert (source.kind, source.labels) == ("ERNIE-Slim checkpoint (model.safetensors)", LABELS)
    assert source.vocabulary == tmp_path / "student/vocab.txt"
    assert source.problem == "single_label_classification"
    batch = random_rows((9, 2, 20))
    found = [slim_outputs(source.model, row)["logits"] for row in single_rows(batch)]
    np.testing.assert_allclose(found, torch_logits(module, batch), rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("task", "labels", "problem"),
    [("multi_label", 5, "multi_label_classification"), ("regression", 1, "regression")],
)
def test_the_task_is_in_the_configuration(
    tmp_path: Path, task: str, labels: int, problem: str
) -> None:
    folder = save_checkpoint(student(labels=labels), tmp_path / "student", task=task)
    source = read_source(folder, WantedHead(head="sequence"))
    assert source.problem == problem
    assert source.labels == (LABELS if task == "multi_label" else ("score",))


def test_nothing_is_left_beside_and_a_folder_that_holds_something_is_refused(
    tmp_path: Path,
) -> None:
    folder = save_checkpoint(student(), tmp_path / "student")
    assert {path.name for path in tmp_path.iterdir()} == {"student", "student.tokenizer"}
    before = (folder / "config.json").read_bytes()
    with pytest.raises(CheckpointError, match="student exists"):
        save_checkpoint(student(), folder)
    assert (folder / "config.json").read_bytes() == before
    assert json.loads(before)["model_type"] == MODEL_TYPE


@pytest.mark.parametrize("head", ["token", "span", "vector"])
def test_a_student_is_of_no_other_task(tmp_path: Path, head: str) -> None:
    folder = save_checkpoint(student(), tmp_path / "student")
    with pytest.raises(
        OtherTaskError, match="is a student of seq_cls or multi_label or regression or rerank"
    ):
        read_source(folder, WantedHead(head=head))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"kind": "lstm"}, "kind is 'lstm'; expected bow or cnn"),
        ({"kind": "cnn"}, r"a cnn has filters \[\] and 37 bigram buckets"),
        ({"embedding_size": "8"}, "embedding_size is '8'; expected a number of at least 1"),
        ({"hidden_size": None}, "hidden_size is None"),
        ({"pair": "no"}, "pair is 'no'; expected true or false"),
        ({"filters": [0]}, r"filters is \[0\]"),
        ({"vocab_size": 61}, r"word\.weight has the shape \[60, 8\]; .* says \[61, 8\]"),
        ({"bigram_buckets": 0}, r"1 arrays that a bow student does not use, such as 'bigram"),
        ({"pad_token_id": 60}, "pad_token_id is 60; expected one of the 60 tokens"),
        ({"pair": True}, "the hidden layer takes 8 features but the two texts of a row give 32"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(
    tmp_path: Path, values: dict[str, Any], fault: str
) -> None:
    folder = save_checkpoint(student("bigrams"), tmp_path / "student")
    changed_config(folder, **values)
    with pytest.raises(CheckpointError, match=fault) as caught:
        read_source(folder)
    assert str(folder) in str(caught.value)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    folder = save_checkpoint(student("windows"), tmp_path / "student")
    arrays = load_file(folder / "model.safetensors")
    del arrays["window.2.bias"]
    save_file(arrays, folder / "model.safetensors")
    with pytest.raises(
        CheckpointError, match=r"no array 'window\.2\.bias'; expected a cnn student"
    ):
        read_source(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has no model\.safetensors beside its config\.json"):
        read_source(folder)
