"""Data sets of a few lines, written by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write(folder: Path, **files: str | Sequence[Any]) -> Path:
    """A folder with files: `train=[...]` is `train.json` with a line for each object."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / (name.replace("__", ".") if "__" in name else f"{name}.json")
        path.write_text(content if isinstance(content, str) else lines(content), encoding="utf-8")
    return folder


def lines(objects: Sequence[Any]) -> str:
    """Objects as JSON lines; strings as they are."""
    return "".join(
        f"{one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)}\n"
        for one in objects
    )


def document(*paragraphs: Mapping[str, Any]) -> str:
    """Paragraphs as CMRC2018 has them, indented so that questions stand on lines of their own."""
    articles = [
        {"paragraphs": [one], "id": f"A{at}", "title": ""} for at, one in enumerate(paragraphs)
    ]
    return json.dumps({"version": "v1.0", "data": articles}, ensure_ascii=False, indent=1)
