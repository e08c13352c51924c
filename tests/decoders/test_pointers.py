"""Pointer scores to spans: the pairing of PaddleNLP's `get_span`, options, and windows."""

import itertools
import math

import numpy as np
import pytest

from ernie_triton.arrays import Float32
from ernie_triton.decoders.pointers import (
    FoundSpan,
    PromptedRow,
    merged,
    paired,
    spans_of_rows,
)


def paddle_pairs(starts: list[int], ends: list[int]) -> set[tuple[int, int]]:
    """What `get_span` does, step by step, on lists in ascending order."""
    couples: dict[int, int] = {}
    start_pointer = end_pointer = 0
    while start_pointer < len(starts) and end_pointer < len(ends):
        start, end = starts[start_pointer], ends[end_pointer]
        if start == end:
            couples[end] = start
            start_pointer += 1
            end_pointer += 1
        elif start < end:
            couples[end] = start
            start_pointer += 1
        else:
            end_pointer += 1
    return {(start, end) for end, start in couples.items()}


def test_positions_are_paired_as_paddlenlp_pairs_them() -> None:
    places = range(5)
    subsets = [list(s) for size in range(5) for s in itertools.combinations(places, size)]
    for starts, ends in itertools.product(subsets, subsets):
        assert set(paired(starts, ends)) == paddle_pairs(starts, ends)


def row(prompt: str, text: str, own: tuple[int, int] | None = None) -> PromptedRow:
    """A row of single characters."""
    spans = [np.array([(i, i + 1) for i in range(len(part))], np.int32) for part in (prompt, text)]
    return PromptedRow(
        prompt=prompt,
        prompt_spans=spans[0],
        text=text,
        text_spans=spans[1],
        own=own or (0, len(text)),
    )


def scores(length: int, *high: int) -> Float32:
    """Logits of 3 at these positions, and -3 elsewhere."""
    values = np.full((1, length), -3, np.float32)
    values[0, list(high)] = 3
    return values


def test_a_span_has_its_characters_and_the_product_of_its_probabilities() -> None:
    # [CLS] 人 物 [SEP] 王 芳 来 [SEP]
    [[found]] = spans_of_rows([row("人物", "王芳来")], scores(8, 4), scores(8, 5), 0.5)
    assert (found.text, found.start, found.end) == ("王芳", 0, 2)
    assert found.probability == pytest.approx((1 / (1 + math.exp(-3))) ** 2)


def test_a_span_of_the_prompt_is_an_option_without_places() -> None:
    # [CLS] 好 [ 正 , 负 ] [SEP] 很 棒 [SEP]
    [[found]] = spans_of_rows([row("好[正,负]", "很棒")], scores(11, 5), scores(11, 5), 0.5)
    assert (found.text, found.is_in_text) == ("负", False)


def test_spans_across_the_separator_or_of_special_tokens_are_none() -> None:
    for start, end in ((1, 4), (0, 0), (3, 3), (0, 2), (5, 7)):
        assert spans_of_rows([row("人物", "王芳来")], scores(8, start), scores(8, end), 0.5) == [[]]


def test_the_threshold_is_exceeded_not_reached() -> None:
    flat = np.zeros((1, 8), np.float32)
    assert spans_of_rows([row("人物", "王芳来")], flat, flat, 0.5) == [[]]
    assert spans_of_rows([row("人物", "王芳来")], flat, flat, 0.4) != [[]]


def test_a_span_counts_in_the_window_that_owns_its_start() -> None:
    one, two = row("人", "王芳来了", own=(0, 2)), row("人", "王芳来了", own=(2, 4))
    starts, ends = (np.repeat(scores(8, 4), 2, axis=0), np.repeat(scores(8, 5), 2, axis=0))
    found = spans_of_rows([one, two], starts, ends, 0.5)
    assert [[span.text for span in spans] for spans in found] == [["芳来"], []]


def option(text: str, probability: float) -> FoundSpan:
    return FoundSpan(-1, -1, text, probability)


def test_windows_vote_for_an_option_and_its_probability_is_the_mean() -> None:
    windows = [[option("正", 0.9)], [option("负", 0.6)], [option("负", 0.8)], []]
    [chosen] = merged("感[正,负]", windows)
    assert chosen.text == "负"
    assert chosen.probability == pytest.approx(0.7)
    tied = [[option("正", 0.9)], [option("负", 0.6)]]
    assert merged("感[正,负]", tied) == [option("正", 0.9)]


def test_the_likeliest_option_of_a_window_is_its_vote() -> None:
    assert merged("感[正,负]", [[option("正", 0.6), option("负", 0.7)]]) == [option("负", 0.7)]


def test_spans_of_the_text_come_in_its_order() -> None:
    spans = [FoundSpan(5, 7, "北京", 0.9), FoundSpan(0, 2, "王芳", 0.8), option("人", 0.99)]
    assert merged("人物", [spans]) == [spans[1], spans[0]]
    assert merged("感[正,人]", [spans]) == [spans[2]]
