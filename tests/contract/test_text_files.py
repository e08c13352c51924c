"""Text files of any common writer are read the same everywhere, or refused by their encoding."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ernie_triton.errors import TextFileError
from ernie_triton.text_files import byte_lines, lines_of, read_text_file

LINES = ["国足 a\u2028b", "", "央行\x0b\x0c\x85c", "end"]


def file_of(lines: list[str], end: str, encoding: str) -> bytes:
    return "".join(line + end for line in lines).encode(encoding)


@pytest.mark.parametrize("last", [True, False], ids=["with a last end", "without a last end"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_lines_are_those_that_were_written(
    encoding: str, end: str, last: bool, tmp_path: Path
) -> None:
    content = file_of(LINES, end, encoding) if last else end.join(LINES).encode(encoding)
    path = tmp_path / "in.txt"
    path.write_bytes(content)
    assert lines_of(read_text_file(path)) == LINES
    with path.open("rb") as file:
        assert [line.decode() for line in byte_lines(file, "in.txt")] == LINES


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"], ids=["little", "big"])
def test_utf_16_is_read_by_chunks_as_a_whole(mark: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ernie_triton.text_files._CHUNK_BYTES", 3)
    order = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
    lines = [f"第{number}行😀" for number in range(50)]
    content = mark + file_of(lines, "\r\n", order)
    assert [line.decode() for line in byte_lines(io.BytesIO(content), "x")] == lines


def test_a_line_of_another_encoding_comes_as_it_is() -> None:
    content = "国足\n".encode() + "央行\r\n".encode("gb18030") + b"end\rb\n"
    lines = list(byte_lines(io.BytesIO(content), "x"))
    assert lines == ["国足".encode(), "央行".encode("gb18030"), b"end\rb"]


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    for content in (b"", b"\xef\xbb\xbf", b"\xff\xfe"):
        assert list(byte_lines(io.BytesIO(content), "x")) == []
        (tmp_path / "empty").write_bytes(content)
        assert read_text_file(tmp_path / "empty") == ""
    assert lines_of("") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("央行下调\n".encode("gbk"), "is not UTF-8 (byte 0xd1 at offset 0); it looks like GB18030"),
        ("ok\n央行\n".encode("gb18030"), "iconv -f GB18030 -t UTF-8 "),
        ("ab\ncd\n".encode("utf-16-le"), "is not UTF-8; it looks like UTF-16LE"),
        ("ab\ncd\n".encode("utf-16-be"), "it looks like UTF-16BE"),
        (b"caf\xe9", "nor another encoding that is certain; save it as UTF-8"),
        (b"\xff\xfea\0b", "begins as UTF-16 and is damaged"),
    ],
)
def test_any_other_file_is_refused_with_its_name_and_the_mend(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(content)
    with pytest.raises(TextFileError) as caught:
        read_text_file(path)
    assert str(caught.value).startswith(f"{path} ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["ab\ncd\n".encode("utf-16-le"), b"\xff\xfea\0b"])
def test_wide_files_that_are_not_certain_have_no_lines(content: bytes) -> None:
    with pytest.raises(TextFileError, match=r"^in\.txt "):
        list(byte_lines(io.BytesIO(content), "in.txt"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TextFileError, match=r"none\.txt cannot be read: No such file"):
        read_text_file(tmp_path / "none.txt")
