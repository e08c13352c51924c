"""The one training loop: every task learns, and a training ends when and as it should."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from ernie_triton.build.progress import LINE_EVERY_S
from ernie_triton.errors import TrainingError
from ernie_triton.training.loop import callbacks
from ernie_triton.training.loop.schedule import Schedule
from ernie_triton.training.loop.training import TrainingResult, train
from ernie_triton.training.tasks import TrainingTask
from tests.training.tiny import TASKS, model_and_task, part_of, write_base

SHORT = Schedule(epochs=1, batch_size=16, learning_rate=1e-3, precision="fp32")
LEARNED = {
    "tnews": (128, 14, 0.6),
    "afqmc": (96, 6, 0.99),
    "multi_label": (128, 8, 0.75),
    "similarity": (96, 6, 0.7),
    "msra_ner": (96, 6, 0.5),
    "cmrc2018": (16, 4, 0.85),
    "extraction": (12, 3, 0.6),
}
"""Lines and epochs of a short training, and the share of its first losses that is left at most."""


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base without dropout."""
    quiet = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return write_base(tmp_path_factory.mktemp("base"), **quiet)


def trained(
    base: Path, work: Path, schedule: Schedule, *, name: str = "tnews", **options: Any
) -> tuple[Any, TrainingTask, TrainingResult]:
    data = part_of(name, train=options.pop("rows", 64), dev=options.pop("dev", 40))
    model, task = model_and_task(base, data)
    return model, task, train(model, data, task, schedule, work, **options)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_learns(base: Path, tmp_path: Path, name: str) -> None:
    rows, epochs, share = LEARNED[name]
    schedule = dataclasses.replace(SHORT, epochs=epochs, learning_rate=5e-3, keep_best=False)
    model, task, result = trained(base, tmp_path / "work", schedule, name=name, rows=rows, dev=8)
    losses = [loss for _, loss in result.history.losses]
    assert sum(losses[-5:]) / sum(losses[:5]) < share
    assert result.steps == epochs * math.ceil(result.rows / 16)
    if name == "tnews":
        # 15 labels: by chance 6.7.
        assert task.evaluate(model, task.data.train).points > 40


def test_the_kept_weights_have_the_points_that_are_said(base: Path, tmp_path: Path) -> None:
    schedule = dataclasses.replace(SHORT, epochs=6, learning_rate=2e-2, evaluations_per_epoch=2)
    model, task, result = trained(base, tmp_path / "work", schedule)
    again = task.evaluate(model, task.data.dev)
    assert (again.points, again.figures) == (result.points, result.figures)
    points = [one.points for one in result.history.evaluations]
    assert (len(points), max(points)) == (12, result.points)
    assert not model.training


def test_the_last_weights_are_kept_where_they_are_wanted(base: Path, tmp_path: Path) -> None:
    schedule = dataclasses.replace(SHORT, epochs=3, learning_rate=2e-2, keep_best=False)
    model, task, result = trained(base, tmp_path / "work", schedule)
    assert result.kept == result.history.evaluations[-1]
    assert task.evaluate(model, task.data.dev).points == result.points


def test_a_training_without_progress_stops(base: Path, tmp_path: Path) -> None:
    # A rate this small changes no answer.
    schedule = dataclasses.replace(SHORT, epochs=9, learning_rate=1e-12, early_stopping=2)
    _, _, result = trained(base, tmp_path / "work", schedule)
    assert (len(result.history.evaluations), result.kept.epoch, result.steps) == (3, 1.0, 12)
    # Called again, it has nothing left to do.
    _, _, again = trained(base, tmp_path / "work", schedule)
    assert again == result


def test_steps_may_be_limited(base: Path, tmp_path: Path) -> None:
    schedule = dataclasses.replace(SHORT, epochs=9, max_steps=6)
    _, _, result = trained(base, tmp_path / "work", schedule)
    assert (result.steps, [one.step for one in result.history.evaluations]) == (6, [4, 6])


def test_accumulated_batches_are_one_large_one(still: Path, tmp_path: Path) -> None:
    large = dataclasses.replace(SHORT, batch_size=64, epochs=2, keep_best=False)
    small = dataclasses.replace(large, batch_size=16, accumulation_steps=4)
    one, _, _ = trained(still, tmp_path / "one", large)
    four, _, _ = trained(still, tmp_path / "four", small)
    for weights, others in zip(one.parameters(), four.parameters(), strict=True):
        torch.testing.assert_close(weights, others, rtol=1e-4, atol=2e-5)


def test_steps_are_adamw_with_warm_up_and_decay(still: Path, tmp_path: Path) -> None:
    # All rows in one batch, so that the order does not matter; by hand with PyTorch alone.
    schedule = dataclasses.replace(
        SHORT, epochs=4, batch_size=64, warmup_share=0.25, weight_decay=0.1, keep_best=False
    )
    model, task, _ = trained(still, tmp_path / "work", schedule)
    other, _ = model_and_task(still, task.data)
    other.train()
    decays = [p for name, p in other.named_parameters() if p.dim() > 1]
    rest = [p for name, p in other.named_parameters() if p.dim() == 1]
    groups = [{"params": decays, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3)
    batch = task.collate(task.rows(task.data.train))
    for share in (0.0, 1.0, 2 / 3, 1 / 3):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * share
        loss = torch.nn.functional.cross_entropy(
            other(**task.inputs(batch)).logits, batch["labels"]
        )
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(other.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    for weights, others in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(weights, others, rtol=1e-4, atol=2e-5)


def test_another_loss_may_be_learned(base: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, ...]] = []

    def loss(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        seen.append(tuple(batch))
        inputs = {name: batch[name] for name in ("input_ids", "token_type_ids", "attention_mask")}
        found: torch.Tensor = model(**inputs).logits
        return found.pow(2).mean()

    schedule = dataclasses.replace(SHORT, epochs=10, learning_rate=1e-2, keep_best=False)
    model, task, _ = trained(base, tmp_path / "work", schedule, loss=loss, signature="zero")
    batch = task.collate(task.rows(task.data.train)[:8])
    with torch.no_grad():
        assert model(**task.inputs(batch)).logits.abs().max() < 0.1
    assert set(seen) == {("input_ids", "token_type_ids", "attention_mask", "labels")}


def test_bfloat16_trains_weights_that_stay_float32(base: Path, tmp_path: Path) -> None:
    kinds = set()

    def loss(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        found = model(input_ids=batch["input_ids"]).logits
        kinds.add(found.dtype)
        return torch.nn.functional.cross_entropy(found.float(), batch["labels"])

    schedule = dataclasses.replace(SHORT, precision="bf16")
    model, _, result = trained(base, tmp_path / "work", schedule, loss=loss)
    assert (kinds, result.precision) == ({torch.bfloat16}, "bf16")
    assert {weights.dtype for weights in model.parameters()} == {torch.float32}


def test_a_loss_that_is_no_number_ends_the_training(base: Path, tmp_path: Path) -> None:
    def loss(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        found: torch.Tensor = model(input_ids=batch["input_ids"]).logits
        return found.mean() * math.nan

    with pytest.raises(TrainingError, match="the loss is nan at step 1; train with a lower"):
        trained(base, tmp_path / "work", SHORT, loss=loss)


def test_the_work_of_another_training_is_not_gone_on_with(base: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    trained(base, work, SHORT)
    other = dataclasses.replace(SHORT, learning_rate=1e-4)
    with pytest.raises(TrainingError, match="another training, with other learning_rate; remove"):
        trained(base, work, other)
    with pytest.raises(TrainingError, match="with other signature, rows; remove"):
        trained(base, work, SHORT, rows=63, signature="else")
    _, _, result = trained(base, work, other, resume=False)
    assert result.steps == 4


def test_the_same_seed_gives_the_same_weights(base: Path, tmp_path: Path) -> None:
    first, _, _ = trained(base, tmp_path / "1", SHORT)
    second, _, _ = trained(base, tmp_path / "2", SHORT)
    third, _, _ = trained(base, tmp_path / "3", dataclasses.replace(SHORT, seed=1))
    pairs = list(zip(first.parameters(), second.parameters(), third.parameters(), strict=True))
    assert all(torch.equal(one, two) for one, two, _ in pairs)
    assert not all(torch.equal(one, other) for one, _, other in pairs)


def test_progress_is_a_line_for_each_evaluation_and_now_and_then(
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    schedule = dataclasses.replace(SHORT, epochs=2, max_steps=8)
    assert LINE_EVERY_S == 60
    monkeypatch.setattr(callbacks, "LINE_EVERY_S", 1e-9)
    trained(base, tmp_path / "work", schedule, name="tnews")
    captured = capfd.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    evaluated = [line for line in lines if "accuracy" in line]
    assert len(evaluated) == 2
    assert evaluated[0].startswith("training: step 4/8  epoch 1.00  loss 2.")
    assert len(lines) == 10
    assert lines[0].startswith("training: step 1/8  epoch 0.25  loss 2.")
    assert lines[0].endswith("min left")
