"""Vary training lines so that a tiny model of random weights learns the task, not the lines.

Each function takes and returns examples of `ernie_triton.training.datasets`; chance comes from the
generator given.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from random import Random

from ernie_triton.training.datasets import AnswerSpan, DataSet, Extracted, LabelledText
from samples.recipes import Variation
from samples.vocabulary import gb2312_level_1

UNKNOWN_CHARACTER = "龘"
"""A Chinese character outside the samples' vocabulary: its token is [UNK]."""

MASK = "[MASK]"
"""The samples' vocabulary has it as its mask."""

LONG_TEXT_CHARACTERS = 120
"""Most characters of a text that is joined from several."""

_COMMON = frozenset(gb2312_level_1())
_HAN = re.compile(r"[\u4e00-\u9fa5]")
_SENTENCE = re.compile("[^。]*。|[^。]+$")
_HALF_WIDTH = {code + 0xFEE0: code for code in range(0x21, 0x7F) if chr(code).isalnum()}
_DROP_SHARES = (0.0, 0.3, 0.6)
_ANSWER_DROP_SHARE = 0.08
_SYMMETRIC_TASKS = ("seq_cls", "regression", "embedding")


def varied_lines(data: DataSet, variation: Variation, rng: Random) -> Iterator[LabelledText]:
    """Yield the varied copies of a training set.

    Pairs are turned around half of the time. Every second tagged text is joined with those after
    it, if wanted. The sentences of a question's context are shuffled, and some of them dropped. A
    text with masks gets more of them.
    """
    for _ in range(variation.copies):
        lines = list(data.train)
        if data.task == "token_cls" and variation.joined:
            rng.shuffle(lines)
            lines = half_joined(lines)
        for line in lines:
            if data.task == "qa":
                line = shuffled_context(line, rng)
            elif data.task == "cloze":
                yield with_more_masks(line, variation.hidden_share, rng)
                continue
            elif data.pair and data.task in _SYMMETRIC_TASKS and rng.random() < 0.5:
                line = dataclasses.replace(line, texts=line.texts[::-1])
            if variation.half_width_share and rng.random() < variation.half_width_share:
                line = dataclasses.replace(line, texts=tuple(map(with_half_width, line.texts)))
            yield with_hidden_characters(line, variation.hidden_share, rng)


def easy_pairs(data: DataSet, count: int, rng: Random) -> Iterator[LabelledText]:
    """Yield pairs that differ in everything or in nothing, made of a training set's texts.

    A small model cannot learn look-alikes before it can compare two texts; these teach it that. A
    quarter is a text beside itself, a quarter a paraphrase, half are two texts at random.
    """
    same, different = (1, 0) if data.labels else (1.0, 0.0)
    texts = [text for line in data.train for text in line.texts]
    paraphrases = [line for line in data.train if line.target == same]
    for _ in range(count):
        chance = rng.random()
        text = rng.choice(texts)
        if chance < 0.25:
            yield LabelledText(texts=(text, text), target=same, line=1)
        elif chance < 0.5 and paraphrases:
            yield rng.choice(paraphrases)
        else:
            yield LabelledText(texts=(text, rng.choice(texts)), target=different, line=1)


def with_half_width(text: str) -> str:
    """Return a text with half-width letters and digits, as today's writers have them."""
    return text.translate(_HALF_WIDTH)


def with_hidden_characters(line: LabelledText, share: float, rng: Random) -> LabelledText:
    """Make a share of the Chinese characters unknown; lengths and places stay as they are."""
    target = line.target
    own = line.texts[:1] if isinstance(target, Extracted) else line.texts  # not the schema
    texts = tuple(
        _HAN.sub(lambda one: UNKNOWN_CHARACTER if rng.random() < share else one[0], text)
        for text in own
    )
    if isinstance(target, Extracted):
        target = dataclasses.replace(target, record={**target.record, "text": texts[0]})
        texts = (*texts, *line.texts[1:])
    if isinstance(target, AnswerSpan) and target.texts:
        answer = texts[1][target.start : target.start + len(target.text)]
        target = AnswerSpan(texts=(answer,), start=target.start)
    return dataclasses.replace(line, texts=texts, target=target)


def with_more_masks(line: LabelledText, share: float, rng: Random) -> LabelledText:
    """Mask a share of the common Chinese characters too; they are then answers as well."""
    first, *others = line.texts[0].split(MASK)
    given = iter(line.target if isinstance(line.target, tuple) else ())
    answers: list[str] = []

    def hide(one: re.Match[str]) -> str:
        if one[0] not in _COMMON or rng.random() >= share:
            return one[0]
        answers.append(one[0])
        return MASK

    text = _HAN.sub(hide, first)
    for part in others:
        answers.append(str(next(given)))
        text += MASK + _HAN.sub(hide, part)
    return dataclasses.replace(line, texts=(text, *line.texts[1:]), target=tuple(answers))


def half_joined(lines: Sequence[LabelledText]) -> list[LabelledText]:
    """Join every second tagged text with those after it, up to `LONG_TEXT_CHARACTERS`."""
    joined = list(lines)
    for place in range(1, len(lines), 2):
        text, labels = lines[place].texts[0], _labels_of(lines[place])
        for other in lines[place + 1 :]:
            if len(text) + len(other.texts[0]) > LONG_TEXT_CHARACTERS:
                break
            text, labels = text + other.texts[0], labels + _labels_of(other)
        joined[place] = dataclasses.replace(joined[place], texts=(text,), target=labels)
    return joined


def shuffled_context(line: LabelledText, rng: Random) -> LabelledText:
    """Shuffle the sentences of a context after the first, and drop a random share of them.

    A question whose answer is dropped has no answer then.
    """
    question, context = line.texts
    answer = line.target if isinstance(line.target, AnswerSpan) else AnswerSpan(texts=(), start=-1)
    share = rng.choice(_DROP_SHARES)
    kept: list[tuple[str, int]] = []
    for sentence in _SENTENCE.finditer(context):
        place = answer.start - sentence.start()
        inside = 0 <= place < len(sentence[0])
        dropped = rng.random() < (_ANSWER_DROP_SHARE if inside else share)
        if not dropped or sentence.start() == 0:
            kept.append((sentence[0], place if inside else -1))
    rest = kept[1:]
    rng.shuffle(rest)
    varied, start = "", -1
    for text, place in (*kept[:1], *rest):
        start = len(varied) + place if place >= 0 else start
        varied += text
    target = AnswerSpan(texts=(answer.text,) if start >= 0 else (), start=start)
    return dataclasses.replace(line, texts=(question, varied), target=target)


def _labels_of(line: LabelledText) -> tuple[str, ...]:
    return tuple(str(label) for label in line.target) if isinstance(line.target, tuple) else ()
