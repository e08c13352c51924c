"""Git-lfs pointers: the small texts that stand for large files in a clone without git-lfs."""

import re
from pathlib import Path

_BEGINNING = b"version https://git-lfs.github.com/spec/"
_LONGEST = 1024
_SIZE = re.compile(rb"^size (\d+)$", re.MULTILINE)


def pointer_fault(path: Path) -> str:
    """Say that a file is a git-lfs pointer, and how to get the file; empty where it is none.

    A file that is missing or cannot be read is no pointer: its reader says what is wrong.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST)
    except OSError:
        return ""
    if not content.startswith(_BEGINNING):
        return ""
    size = _SIZE.search(content)
    of = f" for {int(size[1]):,} bytes" if size else ""
    return (
        f"{path} is a git-lfs pointer{of}, not the file itself; run: git lfs pull (in the "
        f"repository that it came from), or download the file"
    )
