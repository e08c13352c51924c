"""Write the tuned values into a copy of the pipeline's TOML file, keeping its other lines.

TOML is edited as text, as a new file would lose the comments. The result is read back and written
only where it holds the tuned values.
"""

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ernie_triton.errors import PipelineError
from ernie_triton.perf.tuning.setting import Setting, setting_of
from ernie_triton.pipeline import PipelineSpec, load_pipeline

_TABLE = re.compile(r"\s*\[")
_BATCHING = re.compile(r"\s*\[\s*batching\s*\]\s*(#.*)?")
_NOTE = "# tune: "


def tuned_text(text: str, given: PipelineSpec, setting: Setting, notes: Sequence[str]) -> str:
    """Edit the text of a pipeline's file.

    Args:
        text: of the pipeline's file.
        given: the pipeline that the text describes.
        setting: the new values; lines of unchanged values stay.
        notes: comments for the beginning, a line each; they replace those of an earlier tuning.
    """
    old = setting_of(given)
    top: dict[str, int] = {}
    batching: dict[str, int] = {}
    for name in (field.name for field in dataclasses.fields(Setting)):
        if getattr(setting, name) != getattr(old, name):
            table = top if hasattr(given, name) else batching
            table[name] = getattr(setting, name)
    lines = [line for line in text.splitlines() if not line.startswith(_NOTE)]
    first_table = next((place for place, line in enumerate(lines) if _TABLE.match(line)), None)
    head, rest = lines[:first_table], [] if first_table is None else lines[first_table:]
    head = _with_values(head, top)
    if batching:
        rest = _with_batching(rest, batching)
    return "\n".join([*(f"{_NOTE}{note}" for note in notes), *head, *rest]) + "\n"


def write_tuned(path: Path, source: Path, setting: Setting, notes: Sequence[str]) -> None:
    """Write a pipeline's file with another setting: to a temporary file, read back, then renamed.

    Args:
        path: the file to write, in the folder of `source`, as its paths are relative to that.
        source: the pipeline's file.
        setting: the new values.
        notes: comments for the beginning.

    Raises:
        PipelineError: the file cannot be written, or the source cannot be edited.
    """
    given = load_pipeline(source)
    text = tuned_text(source.read_text(encoding="utf-8"), given, setting, notes)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        _check(beside, source, setting.applied_to(given))
        beside.replace(path)
    except OSError as error:
        raise PipelineError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)


def _check(written: Path, source: Path, wanted: PipelineSpec) -> None:
    try:
        says = load_pipeline(written)
    except PipelineError:
        says = None
    if says != wanted:
        values = setting_of(wanted)
        raise PipelineError(
            f"{source} cannot be edited; set by hand: {values}; write `batching` as a table "
            f"`[batching]` of lines `name = value` for it to be edited"
        )


def _with_batching(lines: list[str], values: Mapping[str, int]) -> list[str]:
    header = next((place for place, line in enumerate(lines) if _BATCHING.fullmatch(line)), None)
    if header is None:
        gap = [] if lines and not lines[-1].strip() else [""]
        return [*lines, *gap, "[batching]", *_assignments(values)]
    start = header + 1
    end = next(
        (start + place for place, line in enumerate(lines[start:]) if _TABLE.match(line)),
        len(lines),
    )
    return [*lines[:start], *_with_values(lines[start:end], values), *lines[end:]]


def _with_values(lines: list[str], values: Mapping[str, int]) -> list[str]:
    """Edit the lines of one table: each value in its place, or after the last key."""
    edited = list(lines)
    missing = dict(values)
    for name in values:
        line_of = re.compile(rf"(\s*{name}\s*=\s*)[^\s#]+(.*)")
        for place, line in enumerate(edited):
            if found := line_of.fullmatch(line):
                edited[place] = f"{found[1]}{missing.pop(name)}{found[2]}"
                break
    end = len(edited)
    while end and not edited[end - 1].strip():
        end -= 1
    return [*edited[:end], *_assignments(missing), *edited[end:]]


def _assignments(values: Mapping[str, int]) -> list[str]:
    return [f"{name} = {value}" for name, value in values.items()]
