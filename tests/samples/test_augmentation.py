"""Varied lines keep what they are to teach."""

from pathlib import Path
from random import Random

import pytest

from ernie_triton.training.datasets import AnswerSpan, LabelledText, read_dataset
from samples.augmentation import (
    LONG_TEXT_CHARACTERS,
    UNKNOWN_CHARACTER,
    easy_pairs,
    half_joined,
    shuffled_context,
    varied_lines,
    with_hidden_characters,
)
from samples.paths import SAMPLE_VOCABULARY
from samples.recipes import Variation

DATA = Path(__file__).parents[2] / "samples" / "data"
TRAINING_TASKS = {
    "tnews": "seq_cls",
    "afqmc": "seq_cls",
    "msra_ner": "token_cls",
    "cmrc2018": "qa",
    "similarity": "regression",
}


@pytest.mark.parametrize(("name", "task"), TRAINING_TASKS.items())
def test_every_line_is_varied_so_often_as_asked(name: str, task: str) -> None:
    data = read_dataset(task, DATA / name)
    variation = Variation(copies=2, hidden_share=0.1)
    varied = list(varied_lines(data, variation, Random(1)))
    assert len(varied) == 2 * len(data.train)
    assert varied == list(varied_lines(data, variation, Random(1)))
    hidden = sum(UNKNOWN_CHARACTER in text for line in varied for text in line.texts)
    assert hidden > len(varied) / 2
    for line in varied:
        if isinstance(line.target, AnswerSpan) and line.target.texts:
            start = line.target.start
            assert line.texts[1][start : start + len(line.target.text)] == line.target.text
        if task == "token_cls":
            assert isinstance(line.target, tuple)
            assert len(line.texts[0]) == len(line.target)


def test_hidden_characters_are_unknown_to_the_vocabulary() -> None:
    assert UNKNOWN_CHARACTER not in SAMPLE_VOCABULARY.read_text(encoding="utf-8")
    line = LabelledText(texts=("买2部iPhone，好吗",), target=0, line=1)
    hidden = with_hidden_characters(line, 1.0, Random(0))
    assert hidden.texts == ("龘2龘iPhone，龘龘",)


def test_a_shuffled_context_holds_its_answer_or_says_that_it_does_not() -> None:
    context = "甲在先。" + "".join(f"第{n}句。" for n in "二三四五六") + "答案是七。"
    line = LabelledText(
        texts=("几？", context), target=AnswerSpan(texts=("七",), start=context.index("七")), line=1
    )
    found = missing = 0
    for seed in range(200):
        varied = shuffled_context(line, Random(seed))
        assert varied.texts[1].startswith("甲在先。")
        assert isinstance(varied.target, AnswerSpan)
        assert bool(varied.target.texts) == ("七" in varied.texts[1])
        found += bool(varied.target.texts)
        missing += not varied.target.texts
    assert found > 150
    assert missing


def test_joined_texts_are_not_too_long() -> None:
    lines = [LabelledText(texts=("字" * 30,), target=("O",) * 30, line=1) for _ in range(8)]
    lengths = [len(line.texts[0]) for line in half_joined(lines)]
    assert lengths[::2] == [30] * 4
    assert lengths[1] == LONG_TEXT_CHARACTERS


def test_easy_pairs_are_equal_or_drawn_at_random() -> None:
    data = read_dataset("seq_cls", DATA / "afqmc")
    paraphrases = {line.texts for line in data.train if line.target == 1}
    pairs = list(easy_pairs(data, 400, Random(0)))
    same = [pair for pair in pairs if pair.target == 1]
    assert 0.4 < len(same) / len(pairs) < 0.6
    assert all(pair.texts[0] == pair.texts[1] or pair.texts in paraphrases for pair in same)
