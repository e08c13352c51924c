"""Cloze is trained as transformers trains masked models, and measured as it is served."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch

from ernie_triton.build.torch_models.checkpoints import load_model, load_tokenizer
from ernie_triton.cli import main as ernie_triton
from ernie_triton.errors import DatasetError
from ernie_triton.training.datasets import DataSet, read_dataset
from ernie_triton.training.tasks import TrainingTask, training_task
from tests.training.tiny import write_base

LINES: list[dict[str, Any]] = [
    {"text": "他买了三[MASK]书，喝了一[MASK]茶。", "answer": ["本", "杯"]},
    {"text": "天[MASK]晴朗。", "answer": "气"},
    {"text": "门口有[MASK]辆[MASK]车。", "answer": "三汽"},
]


def written(folder: Path, lines: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    for split in ("train", "dev"):
        (folder / f"{split}.json").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"))


def made(base: Path, data: DataSet) -> tuple[Any, TrainingTask]:
    task = training_task(data, load_tokenizer(base, max_length=48), max_length=48)
    return load_model(base, task="cloze", labels=(), seed=1), task


def test_loss_and_accuracy_are_those_of_transformers(base: Path, tmp_path: Path) -> None:
    data = read_dataset("cloze", written(tmp_path, LINES))
    model, task = made(base, data)
    batch = task.collate(task.rows(data.train))
    labels = batch["labels"]
    assert (labels >= 0).sum(dim=1).tolist() == [2, 1, 2]
    with torch.no_grad():
        expected = model(**task.inputs(batch), labels=labels)
        assert torch.allclose(task.loss(model, batch), expected.loss, atol=1e-6)
        # What the model says itself is right at every mask but the first.
        likeliest = expected.logits.argmax(-1)
    names = task.tokenizer.vocabulary.names()
    found = [names[int(one)] for one in likeliest[labels >= 0]]
    texts = [line["text"] for line in LINES]
    golds = ["不", found[1], found[2], *found[3:]]
    own = [
        {"text": texts[0], "answer": golds[:2]},
        {"text": texts[1], "answer": golds[2:3]},
        {"text": texts[2], "answer": golds[3:]},
    ]
    again = read_dataset("cloze", written(tmp_path / "own", own))
    evaluation = made(base, again)[1].evaluate(model, again.dev)
    assert evaluation.points == pytest.approx(80.0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"text": "天[MASK]", "answer": ["气", "空"]}, "2 answers for 1 masks"),
        ({"text": "天气", "answer": []}, "0 answers for 0 masks"),
        ({"text": "天[MASK]", "answer": "空气"}, "'空气' is 2 tokens"),
    ],
)
def test_an_answer_that_does_not_fit_is_named_with_its_line(
    base: Path, tmp_path: Path, line: dict[str, Any], message: str
) -> None:
    data = read_dataset("cloze", written(tmp_path, [*LINES, line]))
    with pytest.raises(DatasetError, match=rf"train.json:4: .*{message}"):
        made(base, data)[1].rows(data.train)


def test_what_is_trained_is_built_and_not_compressed(
    base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, output = written(tmp_path / "data", LINES), tmp_path / "tuned"
    how = ("--checkpoint", base, "--data", data, "--output", output, "--max-seq-length", 48)
    fast = ("--epochs", 1, "--precision", "fp32")
    assert ernie_triton([str(one) for one in ("finetune", "cloze", *how, *fast)]) == 0
    command = shlex.split(capfd.readouterr().out.splitlines()[-1].split(maxsplit=1)[1])
    trained = load_model(output, task="cloze").state_dict()
    assert trained["cls.predictions.bias"].abs().max() > 0  # it is zero before
    command[command.index("model_repository")] = str(tmp_path / "repository")
    assert ernie_triton([*command[1:], "--engine", "onnxruntime"]) == 0
    assert "exactness largest difference" in capfd.readouterr().out
    pruned = ("prune", output, "--data", data, "--output", tmp_path / "pruned")
    assert ernie_triton([str(one) for one in pruned]) == 1
    assert "does not name its task; add --task" in capfd.readouterr().err
    with pytest.raises(SystemExit):
        ernie_triton([*map(str, pruned), "--task", "cloze"])
    assert "invalid choice: 'cloze'" in capfd.readouterr().err
