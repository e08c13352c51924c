"""What lies in a work folder under its name is whole, and of one training."""

import json
from pathlib import Path

import pytest
import torch

from ernie_triton.errors import TrainingError
from ernie_triton.training.loop.work_folder import WorkFolder


def written(work: WorkFolder, step: int) -> Path:
    folder = work.partial / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    log = [{"step": step, "points": 1.0}]
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": log}), encoding="utf-8")
    return folder


@pytest.fixture
def work(tmp_path: Path) -> WorkFolder:
    folder = WorkFolder(path=tmp_path / "out.work")
    folder.open({"seed": 1}, resume=True)
    return folder


def test_a_checkpoint_takes_the_place_of_the_one_before(work: WorkFolder) -> None:
    assert (work.checkpoint(), work.log()) == (None, [])
    work.publish(written(work, 9))
    work.publish(written(work, 10))
    assert work.checkpoint() == work.path / "checkpoint-10"
    assert work.log() == [{"step": 10, "points": 1.0}]
    assert {path.name for path in work.path.iterdir()} == {"run.json", "checkpoint-10"}


def test_a_checkpoint_without_its_name_is_not_seen(work: WorkFolder) -> None:
    work.publish(written(work, 9))
    written(work, 10)
    assert work.checkpoint() == work.path / "checkpoint-9"


def test_of_the_best_weights_those_are_kept_that_a_checkpoint_knows(work: WorkFolder) -> None:
    for step in (1, 2):
        work.save_best(step, {"a": torch.tensor([float(step)])})
    work.forget_worse(1)
    assert work.best(1)["a"].tolist() == [1.0]
    assert not (work.path / "best-2.pt").exists()


def test_a_folder_is_of_one_training(work: WorkFolder) -> None:
    work.publish(written(work, 9))
    work.open({"seed": 1}, resume=True)
    with pytest.raises(TrainingError, match="holds another training, with other seed; remove"):
        work.open({"seed": 2}, resume=True)
    assert work.checkpoint() is not None
    work.open({"seed": 2}, resume=False)
    assert work.checkpoint() is None


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"holds thesis\.txt, which no training wrote"):
        WorkFolder(path=tmp_path).open({}, resume=True)
    assert (tmp_path / "thesis.txt").exists()
