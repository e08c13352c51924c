"""Rows have the ids that are served, with the targets at their places."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertTokenizer

from ernie_triton.errors import DatasetError
from ernie_triton.training.datasets import AnswerSpan, Extracted, LabelledText, PromptAnswers
from ernie_triton.training.tasks import TrainingTask
from tests.training.tiny import TASKS, model_and_task, part_of, write_base


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"))


def made(
    base: Path, name: str, *, max_length: int = 48, train: int = 40
) -> tuple[Any, TrainingTask]:
    return model_and_task(base, part_of(name, train=train, dev=8), max_length=max_length)


def tokens(base: Path, ids: Any) -> list[str]:
    vocabulary = (base / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return [vocabulary[index] for index in ids]


@pytest.mark.parametrize(("name", "max_length"), [("tnews", 16), ("afqmc", 60)])
def test_rows_are_transformers_tokens(base: Path, name: str, max_length: int) -> None:
    _, task = made(base, name, max_length=max_length)
    theirs = BertTokenizer.from_pretrained(base)
    texts = [list(column) for column in zip(*(one.texts for one in task.data.train), strict=True)]
    wanted = theirs(*texts, truncation=True, max_length=max_length)
    for row, ids, types in zip(
        task.rows(task.data.train), wanted["input_ids"], wanted["token_type_ids"], strict=True
    ):
        assert (row["input_ids"].tolist(), row["token_type_ids"].tolist()) == (ids, types)


@pytest.mark.parametrize("name", TASKS)
def test_a_batch_is_padded_to_its_longest_row(base: Path, name: str) -> None:
    model, task = made(base, name)
    rows = task.rows(task.data.train)[:7]
    batch = task.collate(rows)
    lengths = [len(row["input_ids"]) for row in rows]
    assert batch["input_ids"].shape == (7, max(lengths))
    assert batch["attention_mask"].sum(dim=1).tolist() == lengths
    for at, row in enumerate(rows):
        assert batch["input_ids"][at, : lengths[at]].tolist() == row["input_ids"].tolist()
        assert not batch["input_ids"][at, lengths[at] :].any()
    assert set(batch) == {"input_ids", "token_type_ids", "attention_mask", *task.targets}
    assert task.loss(model, batch).dtype == torch.float32


@pytest.mark.parametrize("name", ["tnews", "similarity", "multi_label", "msra_ner", "cmrc2018"])
def test_the_loss_is_that_of_transformers_own_heads(base: Path, name: str) -> None:
    model, task = made(base, name)
    rows = task.rows(task.data.train)
    # Of one length, since transformers lets qa's padding compete with the tokens.
    longest = max(len(row["input_ids"]) for row in rows)
    batch = task.collate([row for row in rows if len(row["input_ids"]) == longest][:6])
    targets = {key: batch[key] for key in task.targets}
    if name == "similarity":
        targets = {"labels": batch["labels"][:, None]}
    theirs = model(**task.inputs(batch), **targets).loss
    assert float(task.loss(model, batch).detach()) == pytest.approx(
        float(theirs.detach()), rel=1e-5
    )


def test_a_word_has_its_label_at_its_first_piece(base: Path) -> None:
    _, task = made(base, "msra_ner")
    example = LabelledText(
        texts=("在Hongkong2中国",), target=("O", *["B-LOC"] * 9, "B-ORG", "I-ORG"), line=1
    )
    row = task.features(example)
    words = tokens(base, row["input_ids"])
    labels = [
        (word, task.data.labels[label] if label >= 0 else "")
        for word, label in zip(words, row["labels"], strict=True)
    ]
    assert labels[0] == ("[CLS]", "")
    assert labels[1] == ("在", "O")
    latin = labels[2:-3]
    assert [label for _, label in latin] == ["B-LOC", *[""] * (len(latin) - 1)]
    assert labels[-3:] == [("中", "B-ORG"), ("国", "I-ORG"), ("[SEP]", "")]


def test_windows_of_a_long_text_hold_every_word(base: Path) -> None:
    _, task = made(base, "msra_ner", max_length=16)
    text = "新华社泉州电记者韩长董秀英" * 4
    example = LabelledText(texts=(text,), target=tuple(["B-ORG", "O"] * (len(text) // 2)), line=3)
    rows = task.rows([example])
    assert len(rows) > 1
    # Windows of 16 share a quarter.
    seen = [int((row["labels"] >= 0).sum()) for row in rows]
    assert sum(seen) == len(text) + 4 * (len(rows) - 1)
    with pytest.raises(DatasetError, match=r":3: the text has \d windows of 16 tokens"):
        task.features(example)


def test_an_answer_stands_at_its_tokens(base: Path) -> None:
    _, task = made(base, "cmrc2018", max_length=48)
    answer = AnswerSpan(texts=("上海",), start=3)
    example = LabelledText(texts=("在哪里？", "他住在上海。"), target=answer, line=1)
    row = task.features(example)
    place = slice(int(row["start_positions"]), int(row["end_positions"]) + 1)
    assert tokens(base, row["input_ids"][place]) == ["上", "海"]
    none = dataclasses.replace(example, target=AnswerSpan(texts=(), start=-1))
    row = task.features(none)
    assert (int(row["start_positions"]), int(row["end_positions"])) == (0, 0)


def test_windows_without_the_whole_answer_have_none(base: Path) -> None:
    _, task = made(base, "cmrc2018", max_length=24)
    context = "一二三四五六七八九十" * 5
    start = 14
    answer = AnswerSpan(texts=(context[start : start + 6],), start=start)
    rows = task.rows([LabelledText(texts=("几？", context), target=answer, line=1)])
    spans = [(int(row["start_positions"]), int(row["end_positions"])) for row in rows]
    assert any(span == (0, 0) for span in spans)
    whole = [
        "".join(tokens(base, row["input_ids"][first : last + 1]))
        for row, (first, last) in zip(rows, spans, strict=True)
        if first
    ]
    assert whole
    assert set(whole) == {answer.text}


def test_models_that_learned_unanswerable_questions_may_give_no_answer(base: Path) -> None:
    _, task = made(base, "cmrc2018")
    assert task.answering().no_answer_threshold == 0.0
    answered = tuple(one for one in task.data.train if one.target.texts)  # type: ignore[union-attr]
    task.data = dataclasses.replace(task.data, train=answered)
    assert task.answering().no_answer_threshold == np.inf


def test_spans_and_options_stand_at_their_tokens(base: Path) -> None:
    model, task = made(base, "extraction", max_length=28)
    text = "王芳在北京工作，李雷也在北京。" * 2
    asked = (
        PromptAnswers(prompt="地点", spans=((3, 5), (12, 14), (18, 20))),
        PromptAnswers(prompt="情感倾向[正向,负向]", options=("负向",)),
    )
    target = Extracted(record={}, prompts=asked)
    rows = task.rows([LabelledText(texts=(text, "[]"), target=target, line=1)])
    found = [
        [
            "".join(tokens(base, row["input_ids"][first : last + 1]))
            for first, last in zip(
                np.flatnonzero(row["starts"]), np.flatnonzero(row["ends"]), strict=True
            )
        ]
        for row in rows
    ]
    # Two windows beside the short prompt, more beside the long one, each with its own options.
    assert found == [["北京", "北京", "北京"], ["北京"], *[["负向"]] * (len(rows) - 2)]
    batch = task.collate(rows)
    with torch.no_grad():
        scores = model(**task.inputs(batch))
        loss = float(task.loss(model, batch))
    total = count = 0.0
    for at, row in enumerate(rows):
        for name, logits in (("starts", scores.start_logits), ("ends", scores.end_logits)):
            chance = 1 / (1 + np.exp(-logits[at, : len(row[name])].double().numpy()))
            right = np.where(row[name] == 1, chance, 1 - chance)
            total -= np.log(right).sum()
            count += len(right)
    assert loss == pytest.approx(total / count, rel=1e-5)


def test_smoothing_spreads_a_share_of_the_label(base: Path) -> None:
    model, task = made(base, "tnews")
    batch = task.collate(task.rows(task.data.train)[:4])
    with torch.no_grad():
        logs = torch.log_softmax(model(**task.inputs(batch)).logits, dim=-1)
        found = float(task.loss(model, batch, smoothing=0.3))
    labels = batch["labels"]
    wanted = -(0.7 * logs[range(4), labels] + 0.3 * logs.mean(dim=-1)).mean()
    assert found == pytest.approx(float(wanted), rel=1e-5)


def test_texts_without_a_word_cost_nothing(base: Path) -> None:
    model, task = made(base, "msra_ner")
    batch = task.collate(task.rows([LabelledText(texts=("",), target=(), line=1)]))
    assert float(task.loss(model, batch).detach()) == 0.0
