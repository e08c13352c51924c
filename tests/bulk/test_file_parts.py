"""The parts of a file are together the file: each row once, in its order, with its number."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from ernie_triton.bulk.file_parts import FilePart, file_parts, opened_part
from ernie_triton.client.cli.options import Options, add_part_options, options_from_namespace
from ernie_triton.client.cli.run import items_of_lines, task_command
from ernie_triton.client.items import Item, opened_lines
from ernie_triton.errors import DatasetError

USAGE = task_command("seq_cls").usage
LINES = [
    b'\xef\xbb\xbf{"text": "a"}\r\n',
    b'{"sentence": "\xe4\xb8\x80"}\n',
    b"\n",
    b'{"text": "\xff"}\n',
    b'{"text": 4}\n',
    b'{"text": "last"}',
]


def options_of(path: Path) -> Options:
    parser = argparse.ArgumentParser()
    add_part_options(parser, USAGE)
    found = parser.parse_args(["--file", str(path), "--output", str(path.parent / "out")])
    return options_from_namespace(found, USAGE.texts)


def items_by_part(options: Options, part_rows: int) -> list[list[Item]]:
    found = []
    for part in reversed(file_parts(options, part_rows)):
        with opened_part(part, options, ["text"], USAGE.fields) as items:
            found.append(list(items))
    return found[::-1]


@pytest.mark.parametrize("name", ["texts.jsonl", "texts.txt"])
@pytest.mark.parametrize("part_rows", [1, 4, 6, 7])
def test_parts_of_lines_are_the_lines(tmp_path: Path, name: str, part_rows: int) -> None:
    path = tmp_path / name
    path.write_bytes(b"".join(LINES))
    options = options_of(path)
    with opened_lines(str(path)) as lines:
        whole = list(items_of_lines(lines, ["text"], USAGE.fields, options))
    assert [item.line for item in whole] == [1, 2, 3, 4, 5, 6]
    parts = items_by_part(options, part_rows)
    assert [item for part in parts for item in part] == whole
    assert {len(part) for part in parts[:-1]} <= {part_rows}


@pytest.mark.parametrize("part_rows", [1, 4, 10])
def test_parts_of_parquet_are_its_rows_whatever_its_row_groups(
    tmp_path: Path, part_rows: int
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path, texts = tmp_path / "texts.parquet", [f"text {number}" for number in range(10)]
    table = pyarrow.table({"other": range(10), "text": texts})
    parquet.write_table(table, path, row_group_size=3)
    items = [item for part in items_by_part(options_of(path), part_rows) for item in part]
    assert [item.texts for item in items] == [(text,) for text in texts]
    assert [item.line for item in items] == [*range(1, 11)]
    assert items[0].record == {"text": "text 0"}


def test_a_file_is_refused_whose_lines_are_found_from_its_start_only(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    for content in ("\ufeff" + json.dumps({"text": "a"})).encode("utf-16-le"), b"a\rb\rc":
        path.write_bytes(content)
        with pytest.raises(DatasetError, match="convert it to UTF-8 with LF"):
            file_parts(options_of(path), 2)
    path.write_bytes(b"")
    assert file_parts(options_of(path), 2) == []
    path.write_bytes(b"\n\n\n")
    last = FilePart(number=1, first=2, rows=1, offset=2)
    assert file_parts(options_of(path), 2)[1:] == [last]
