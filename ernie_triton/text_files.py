"""Text files of any common writer: UTF-8 with or without a byte order mark, UTF-16 with one.

Builds, training and clients read every text file through this module, so that all of them have one
rule. The encoding is certain where the bytes are valid UTF-8 or a byte order mark names another;
any other file is refused, with the encoding it looks like and the command that converts it. A line
ends with LF, CR LF or CR.
"""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ernie_triton.errors import TextFileError
from ernie_triton.lfs_pointer import pointer_fault

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # Before UTF-16: the little-endian mark of UTF-32 begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF_8 = ("utf-8", "utf-8-sig")
_LONGEST_MARK = 4
_CHUNK_BYTES = 1 << 20
_LINE_END = re.compile(r"\r\n|\n|\r")
_BARE_UTF_16 = re.compile(rb"[^\0]\0[^\0]\0|\0[^\0]\0[^\0]")


def read_text_file(path: Path) -> str:
    """Read a whole file, without its byte order mark; line ends become LF.

    Raises:
        TextFileError: it cannot be read, is a git-lfs pointer, or its encoding is not certain.
    """
    if fault := pointer_fault(path):
        raise TextFileError(fault)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TextFileError(f"{path} cannot be read: {error.strerror or error}") from error
    return text_of_bytes(content, str(path))


def text_of_bytes(content: bytes, name: str) -> str:
    """Decode a file's content, without its byte order mark; line ends become LF.

    Raises:
        TextFileError: the encoding is not certain; the message begins with `name`.
    """
    return _LINE_END.sub("\n", decode_bytes(content, name))


def decode_bytes(content: bytes, name: str) -> str:
    """Decode a file's content, without its byte order mark, its line ends as they are.

    Raises:
        TextFileError: the encoding is not certain; the message begins with `name`.
    """
    encoding = _encoding(content)
    if encoding in _UTF_8 and _BARE_UTF_16.match(content):
        raise TextFileError(f"{name} {not_utf_8(content, name)}")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding in _UTF_8:
            raise TextFileError(f"{name} {not_utf_8(content, name)}") from error
        raise TextFileError(
            f"{name} begins as {encoding.upper()} and is damaged at byte {error.start}; "
            f"save it again as UTF-8"
        ) from error


def lines_of(text: str) -> list[str]:
    """The lines of a text; unlike `str.splitlines`, no other character than LF and CR ends one."""
    lines = _LINE_END.split(text)
    return lines if lines[-1] else lines[:-1]


def byte_lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The lines of a file as UTF-8, lazily, without their ends and without a byte order mark.

    A line of other bytes comes as it is: the caller decodes line by line. UTF-16 and UTF-32 with a
    byte order mark become UTF-8. Where no line ends with LF, every CR ends one.

    Raises:
        TextFileError: it is UTF-16 without a mark, or damaged; the message begins with `name`.
    """
    lines = iter(file)
    first = next(lines, b"")
    encoding = _encoding(first[:_LONGEST_MARK])
    if encoding not in _UTF_8:
        yield from _wide_lines(first, file, encoding, name)
        return
    if _BARE_UTF_16.match(first):
        raise TextFileError(f"{name} {not_utf_8(first, name)}")
    first = first.removeprefix(codecs.BOM_UTF8)
    if not first.endswith(b"\n") and b"\r" in first:
        yield from first.removesuffix(b"\r").split(b"\r")
        return
    if first:
        yield first.removesuffix(b"\n").removesuffix(b"\r")
    for line in lines:
        yield line.removesuffix(b"\n").removesuffix(b"\r")


def has_seekable_lines(file: BinaryIO) -> bool:
    """Return True if lines end with LF in an encoding of single bytes; reads only the first.

    Such lines can be read from the middle of the file. The file is at its start again.
    """
    first = file.readline()
    file.seek(0)
    is_wide = _encoding(first[:_LONGEST_MARK]) not in _UTF_8 or _BARE_UTF_16.match(first)
    return not is_wide and (first.endswith(b"\n") or b"\r" not in first)


def not_utf_8(content: bytes, name: str) -> str:
    """Say that bytes are not UTF-8, what they look like, and how to convert the file `name`."""
    likely = _likely_encoding(content)
    try:
        content.decode("utf-8")
        place = ""
    except UnicodeDecodeError as error:
        place = f" (byte 0x{content[error.start]:02x} at offset {error.start})"
    if not likely:
        return f"is not UTF-8{place}, nor another encoding that is certain; save it as UTF-8"
    return (
        f"is not UTF-8{place}; it looks like {likely}; convert it with: "
        f"iconv -f {likely} -t UTF-8 {name} > utf8.txt"
    )


def _encoding(content: bytes) -> str:
    """The encoding that a byte order mark names; UTF-8 without one."""
    return next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")


def _wide_lines(first: bytes, file: BinaryIO, encoding: str, name: str) -> Iterator[bytes]:
    """The lines of a UTF-16 or UTF-32 file, whose first bytes were read, as UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)()
    rest, chunk = "", first
    try:
        while chunk:
            rest += decoder.decode(chunk)
            # A CR at the end may be half of a CR LF.
            *lines, rest = _LINE_END.split(rest) if not rest.endswith("\r") else [rest]
            for line in lines:
                yield line.encode("utf-8")
            chunk = file.read(_CHUNK_BYTES)
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise TextFileError(
            f"{name} begins as {encoding.upper()} and is damaged; save it again as UTF-8"
        ) from error
    for line in lines_of(rest):
        yield line.encode("utf-8")


def _likely_encoding(content: bytes) -> str:
    if _BARE_UTF_16.match(content):
        return "UTF-16BE" if content.startswith(b"\0") else "UTF-16LE"
    try:
        content.decode("gb18030")
    except UnicodeDecodeError:
        return ""
    return "GB18030"
