"""Alignment in terminal columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.text_table import Table, clipped, text_width


@pytest.mark.parametrize(
    ("text", "width"),
    [("", 0), ("abc", 3), ("你好", 4), ("ｆ！", 4), ("e\u0301", 1), ("a\u200db", 2), ("한", 2)],
)
def test_wide_characters_take_two_columns_and_combining_ones_none(text: str, width: int) -> None:
    assert text_width(text) == width


def test_chinese_cells_end_in_the_same_column_as_latin_ones() -> None:
    lines = Table(("label", "score", "text")).lines([("体育新闻", "0.9", "球"), ("a", "1", "b")])
    assert lines == [
        "label     score  text",
        "--------  -----  ----",
        "体育新闻  0.9    球",
        "a         1      b",
    ]


def test_a_later_block_has_no_header_and_may_be_wider() -> None:
    table = Table(("k", "v"))
    assert table.lines([("a", "1")]) == ["k  v", "-  -", "a  1"]
    assert table.lines([("bcd", "2")]) == ["bcd  2"]
    assert table.lines([("a", "3")]) == ["a    3"]


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abcde", 5, "abcde"),
        ("abcdef", 5, "abcd…"),
        ("你好吗", 6, "你好吗"),
        ("你好吗?", 6, "你好…"),
        ("a\tb\nc", 9, "a b c"),
        ("\x1b[31m", 9, "�[31m"),
        ("\u202eabc", 9, "�abc"),
    ],
)
def test_a_text_is_cut_by_columns_and_kept_on_one_harmless_line(
    text: str, width: int, shown: str
) -> None:
    assert clipped(text, width) == shown


@given(st.text(), st.integers(min_value=1, max_value=20))
def test_no_text_takes_more_columns_than_it_is_given(text: str, width: int) -> None:
    assert text_width(clipped(text, width)) <= width
