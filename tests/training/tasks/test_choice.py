"""Choices are trained as transformers trains them, and measured as they are served."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ernie_triton.build.torch_models.checkpoints import load_model, load_tokenizer
from ernie_triton.cli import main as ernie_triton
from ernie_triton.errors import DatasetError
from ernie_triton.training.datasets import DataSet, read_dataset
from ernie_triton.training.tasks import TrainingTask, training_task
from tests.training.tiny import write_base

NAMES = ("张三", "李四", "王五", "赵六")


def questions(count: int, options: int = 4) -> list[dict[str, Any]]:
    return [
        {
            "context": f"{NAMES[number % options]}今天去{number}号店买书。",
            "question": "谁去买书?",
            "options": list(NAMES[:options]),
            "answer": number % options,
        }
        for number in range(count)
    ]


def c3(count: int) -> list[Any]:
    return [
        [
            [one["context"]],
            [{"question": one["question"], "choice": one["options"], "answer": NAMES[number % 4]}],
            str(number),
        ]
        for number, one in enumerate(questions(count))
    ]


def written(folder: Path, content: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(one, ensure_ascii=False) for one in content]
    is_document = isinstance(content[0], list)
    text = "[" + ",\n".join(lines) + "]" if is_document else "\n".join(lines)
    for split in ("train", "dev"):
        (folder / f"{split}.json").write_text(f"{text}\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"))


def made(base: Path, data: DataSet) -> tuple[Any, TrainingTask]:
    task = training_task(data, load_tokenizer(base, max_length=48), max_length=48)
    return load_model(base, task="choice", labels=(), seed=1), task


def test_the_loss_is_that_of_transformers(base: Path, tmp_path: Path) -> None:
    data = read_dataset("choice", written(tmp_path, questions(5)))
    model, task = made(base, data)
    batch = task.collate(task.rows(data.train))
    theirs = {name: tensor.reshape(5, 4, -1) for name, tensor in task.inputs(batch).items()}
    with torch.no_grad():
        expected = model(**theirs, labels=batch["labels"])
        assert torch.allclose(task.loss(model, batch), expected.loss, atol=1e-6)
    right = expected.logits.argmax(-1) == batch["labels"]
    evaluation = task.evaluate(model, data.dev)
    assert evaluation.points == pytest.approx(100 * float(right.float().mean()))


def test_questions_of_one_batch_may_have_different_numbers_of_options(
    base: Path, tmp_path: Path
) -> None:
    mixed = [questions(4)[3], questions(2, options=2)[1]]
    data = read_dataset("choice", written(tmp_path, mixed))
    model, task = made(base, data)
    rows = task.rows(data.train)
    both = task.collate(rows)
    assert both["options"].tolist() == [4, 2]
    with torch.no_grad():
        found = float(task.loss(model, both))
        alone = [float(task.loss(model, task.collate([row]))) for row in rows]
    assert found == pytest.approx(np.mean(alone), abs=1e-6)


def test_clue_s_files_are_read(tmp_path: Path) -> None:
    data = read_dataset("choice", written(tmp_path / "c3", c3(6)))
    assert (data.name, len(data.train)) == ("c3", 6)
    assert data.train[1].texts == ("李四今天去1号店买书。", "谁去买书?", *NAMES)
    assert data.train[1].target == 1
    idioms = {
        "content": "他#idiom1#地走了。",
        "candidates": ["从容", "匆忙"],
        "answers": {"#idiom1#": 1},
    }
    data = read_dataset("choice", written(tmp_path / "chid", [idioms]))
    assert (data.name, data.train[0].target) == ("chid", 1)
    assert data.train[0].texts[0] == "他[MASK]地走了。"
    with pytest.raises(DatasetError, match=r"train.json:1: answer is 9, expected an option"):
        read_dataset("choice", written(tmp_path / "bad", [{**questions(1)[0], "answer": 9}]))


def test_what_is_trained_is_built_and_not_compressed(
    base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, output = written(tmp_path / "data", c3(8)), tmp_path / "tuned"
    how = ("--checkpoint", base, "--data", data, "--output", output, "--max-seq-length", 48)
    fast = ("--epochs", 1, "--precision", "fp32")
    assert ernie_triton([str(one) for one in ("finetune", "choice", *how, *fast)]) == 0
    command = shlex.split(capfd.readouterr().out.splitlines()[-1].split(maxsplit=1)[1])
    command[command.index("model_repository")] = str(tmp_path / "repository")
    assert ernie_triton([*command[1:], "--engine", "onnxruntime"]) == 0
    assert "exactness largest difference" in capfd.readouterr().out
    pruned = ("prune", output, "--data", data, "--output", tmp_path / "pruned")
    assert ernie_triton([str(one) for one in pruned]) == 1
    assert "models of choice cannot be compressed" in capfd.readouterr().err
