"""The labels of a data set, and the label that a line names."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.build.load.labels import looks_like_json, names_by_number
from ernie_triton.errors import DatasetError, TextFileError
from ernie_triton.text_files import read_text_file
from ernie_triton.training.datasets.lines import Record, listed, numbered_lines, read_lines, shown

FILES = ("labels.json", "labels.txt")
DESCRIPTIONS = ("label_desc", "label_des")
"""Keys of the label's name in TNEWS and in IFLYTEK; `label` is its number there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelNames:
    """Label names by id, and ids by every word that stands for a label."""

    names: tuple[str, ...]
    ids: Mapping[str, int]

    def id_of(self, record: Record, word: object) -> int:
        """Return the id of the label that this word stands for.

        Raises:
            DatasetError: there is no such label.
        """
        name = str(word).lower() if isinstance(word, bool) else str(word)
        if name in self.ids:
            return self.ids[name]
        raise record.error(
            f"unknown label {shown(word)}; expected one of {listed(self.names)}; correct the line, "
            f"or add it to {FILES[0]}"
        )

    def id_in(self, record: Record) -> int:
        """Return the id of a line's label, from its name and its number.

        Raises:
            DatasetError: the label is missing or unknown, or name and number disagree.
        """
        keys = [key for key in (*DESCRIPTIONS, "label") if record.has(key)]
        if not keys:
            record.key("label")
        found = [self.id_of(record, record.values[key]) for key in keys]
        if len(set(found)) > 1:
            said = ", ".join(f"{key} {shown(record.values[key])}" for key in keys)
            raise record.error(f"{said} are different labels; correct the line")
        return found[0]


def names_of(names: Sequence[str]) -> LabelNames:
    """Make labels that have only names."""
    return LabelNames(names=tuple(names), ids={name: index for index, name in enumerate(names)})


def label_file(folder: Path) -> Path | None:
    """Return the file of labels in a folder, or None."""
    return next((folder / name for name in FILES if (folder / name).is_file()), None)


def read_label_names(path: Path) -> LabelNames:
    """Read the labels that a file lists.

    The file is a JSON list of names, a JSON object of names and numbers, or has a name per line, or
    a JSON object per line with `label`. There `label_desc` or `label_des` is the name, if the
    object has one.

    Raises:
        DatasetError: the file has another form, is empty, or names a label twice.
    """
    head = next((text.strip() for _, text in numbered_lines(path) if text.strip()), "")
    whole = _json_names(path)
    if whole is not None:
        words: list[tuple[int, tuple[str, ...]]] = [(1, (name,)) for name in whole]
    else:
        words = [
            (line, _words_of(path, line, text) if looks_like_json(head) else (text.strip(),))
            for line, text in read_lines(path)
        ]
    names: list[str] = []
    ids: dict[str, int] = {}
    for line, said in words:
        if looks_like_json(said[0]):
            raise DatasetError(f"{path}:{line}: {said[0]:.60} is JSON among plain names")
        if not said[0]:
            raise DatasetError(f"{path}:{line}: a label has no name; give it one")
        for word in dict.fromkeys(said):
            if word in ids:
                raise DatasetError(f"{path}:{line}: the label {word!r} is listed twice")
            ids[word] = len(names)
        names.append(said[0])
    return LabelNames(names=tuple(names), ids=ids)


def _words_of(path: Path, line: int, text: str) -> tuple[str, ...]:
    """Return a label's name, if the line has one, and its number."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise DatasetError(f"{path}:{line}: no JSON: {error}; correct the line") from error
    if not isinstance(values, dict) or not isinstance(values.get("label"), str | int):
        raise DatasetError(f'{path}:{line}: {text:.60}; expected an object with "label"')
    described = [values[key] for key in DESCRIPTIONS if values.get(key)]
    return (*map(str, described[:1]), str(values["label"]))


def _json_names(path: Path) -> list[str] | None:
    """Return the names of a JSON list or object; None where the file is not one document."""
    text = _content(path)
    if not looks_like_json(text.lstrip()):
        return None
    try:
        names = json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.lstrip().startswith("{"):
            return None
        raise DatasetError(f"{path}:1: no JSON list: {error}; correct the file") from error
    if isinstance(names, dict):
        if "label" in names:
            return None
        try:
            names = names_by_number(names)
        except ValueError as error:
            raise DatasetError(f"{path}:1: {error}; correct the file") from error
    if not isinstance(names, list) or not names:
        raise DatasetError(f"{path}:1: expected a list of label names")
    if not all(isinstance(name, str) for name in names):
        raise DatasetError(f"{path}:1: a label is not a string; expected a list of names")
    return names


def _content(path: Path) -> str:
    try:
        return read_text_file(path)
    except TextFileError as error:
        raise DatasetError(str(error)) from error
