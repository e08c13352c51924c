"""Texts of a request, from its bytes."""

from typing import Any

from ernie_triton.errors import TextError


def decoded_text(text: Any, name: str, row: int, most_bytes: int) -> str:  # noqa: ANN401
    """One text of a request as it came, from UTF-8.

    Raises:
        TextError: it is too long, or not UTF-8.
    """
    if len(text) > most_bytes:
        raise TextError(
            f"row {row} of the input {name!r} has {len(text):,} bytes; expected at most "
            f"{most_bytes:,}; send less, or build with a larger --max-text-bytes"
        )
    try:
        return bytes(text).decode("utf-8")
    except UnicodeDecodeError as error:
        raise TextError(
            f"row {row} of the input {name!r} is not UTF-8: byte 0x{text[error.start]:02x} at "
            f"offset {error.start}; send UTF-8 text"
        ) from error
