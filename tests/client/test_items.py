"""Lines in: text files, JSON lines, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.client.items import (
    TEXT,
    TEXT_PAIR,
    Item,
    count_lines,
    items_from_jsonl,
    items_from_texts,
    items_from_txt,
    opened_lines,
)
from ernie_triton.errors import DatasetError

FIELDS = (TEXT, TEXT_PAIR)
SINGLE = ("text",)
PAIR = ("text", "text_pair")


def test_every_line_of_a_text_file_is_a_text_empty_ones_too() -> None:
    lines = [b"\xef\xbb\xbf\xe4\xbd\xa0\n", b"\n", b"a\tb\r\n", b"\xef\xbb\xbfend"]
    items = list(items_from_txt(lines, SINGLE))
    assert [item.texts for item in items] == [("你",), ("",), ("a\tb",), ("\ufeffend",)]
    assert [item.line for item in items] == [1, 2, 3, 4]


def test_a_tab_parts_a_pair() -> None:
    items = list(items_from_txt([b"a\tb\n", b"\t\n", b"alone\n", b"a\tb\tc\n"], PAIR))
    assert [item.texts for item in items] == [("a", "b"), ("", ""), (), ()]
    assert items[2].error == "1 text(s) on the line, expected text TAB text_pair"
    assert items[3].error.startswith("3 text(s)")


@pytest.mark.parametrize("read", ["txt", "jsonl"])
def test_a_line_that_is_not_utf8_fails_alone(read: str) -> None:
    lines = [b'{"text": "a"}\n', b'{"text": "\xff"}\n', b'{"text": "b"}\n']
    items = list(
        items_from_txt(lines, SINGLE) if read == "txt" else items_from_jsonl(lines, SINGLE, FIELDS)
    )
    assert [bool(item.error) for item in items] == [False, True, False]
    assert "not UTF-8 (byte 0xff at offset 10)" in items[1].error


@pytest.mark.parametrize(
    ("line", "inputs", "texts"),
    [
        ('{"text": "好"}', SINGLE, ("好",)),
        ('{"label": "1", "sentence": "a"}', SINGLE, ("a",)),
        ('{"text_pair": "y", "text": "x"}', PAIR, ("x", "y")),
        ('{"sentence1": "", "sentence2": "y"}', PAIR, ("", "y")),
    ],
)
def test_texts_are_found_under_the_names_of_either_format(
    line: str, inputs: tuple[str, ...], texts: tuple[str, ...]
) -> None:
    [item] = items_from_jsonl([line.encode()], inputs, FIELDS)
    assert item.texts == texts


@pytest.mark.parametrize(
    ("line", "inputs", "said"),
    [
        ('{"text": "a"', SINGLE, "no JSON: "),
        ("", SINGLE, "no JSON: "),
        ("[" * 100_000, SINGLE, "no JSON: "),
        ('["a"]', SINGLE, "a JSON list, expected an object"),
        ('{"title": "a"}', SINGLE, "the object has title, expected text or sentence or sentence1"),
        ("{}", SINGLE, "the object has no keys"),
        ('{"text": 5}', SINGLE, "text is 5, expected a string"),
        ('{"text": "a"}', PAIR, "expected text_pair or sentence2"),
        ('{"sentence1": "a", "sentence2": "b"}', SINGLE, "the model takes no text_pair"),
    ],
)
def test_an_object_without_its_texts_says_what_it_has(
    line: str, inputs: tuple[str, ...], said: str
) -> None:
    [item] = items_from_jsonl([line.encode()], inputs, FIELDS)
    assert item.texts == ()
    assert said in item.error


@given(st.lists(st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b""))))
def test_any_bytes_give_one_item_a_line(contents: list[bytes]) -> None:
    lines = [content + b"\n" for content in contents]
    for items in (items_from_txt(lines, PAIR), items_from_jsonl(lines, PAIR, FIELDS)):
        found = list(items)
        assert [item.line for item in found] == list(range(1, len(lines) + 1))
        assert all(bool(item.error) != bool(item.texts) for item in found)


def test_texts_of_the_command_line_are_counted_from_1() -> None:
    assert list(items_from_texts((("a", "b"), ("x", "y")))) == [
        Item(line=1, texts=("a", "x")),
        Item(line=2, texts=("b", "y")),
    ]


@pytest.mark.parametrize(("content", "count"), [(b"", 0), (b"a", 1), (b"a\n", 1), (b"\n\nb", 3)])
def test_lines_are_counted_with_or_without_a_final_end(
    tmp_path: Path, content: bytes, count: int
) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(content)
    assert count_lines(str(path)) == count
    with opened_lines(str(path)) as lines:
        assert len(list(lines)) == count


def test_what_can_be_read_only_once_is_not_counted() -> None:
    assert count_lines("-") is None
    assert count_lines("/dev/null") is None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(DatasetError, match=r"in\.txt cannot be read: No such file"),
        opened_lines(str(tmp_path / "in.txt")),
    ):
        pass
