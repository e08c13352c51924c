"""Texts with a label for each token: JSON lines as in MSRA_NER, or two columns."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ernie_triton.decoders.entities import OUTSIDE
from ernie_triton.errors import DatasetError
from ernie_triton.training.datasets.examples import LabelledText
from ernie_triton.training.datasets.label_names import LabelNames, names_of
from ernie_triton.training.datasets.lines import Record, numbered_lines, read_records

JSON_ENDINGS = (".json", ".jsonl")
_ENDS = {"B": ("B", "I"), "I": ("I", "I"), "E": ("I", "E"), "S": ("B", "E")}
"""Prefixes of a word's first and last character, by the prefix of the word."""


def tagged_texts(path: Path) -> Iterator[Record]:
    """Read tokens and labels of each text, from either form of file.

    JSON lines have `{"tokens": [...], "labels": [...]}`. In two columns each line has a token and
    its label, split by a tab or spaces, and an empty line ends a text.

    Raises:
        DatasetError: the file has another form.
    """
    return read_records(path) if path.suffix in JSON_ENDINGS else _records_of_columns(path)


def is_json(path: Path) -> bool:
    """Tell if the file has JSON lines, which the clients read."""
    return path.suffix in JSON_ENDINGS


def labels_in(records: Sequence[Record]) -> LabelNames:
    """Collect the labels of the training lines: `O` first, then by type and prefix.

    Raises:
        DatasetError: a line has no list of labels.
    """
    found = {label for record in records for label in record.strings("labels")}
    found.discard(OUTSIDE)
    ordered = sorted(found, key=lambda label: (label.partition("-")[2], label))
    return names_of((OUTSIDE, *ordered))


def tagged_example(record: Record, labels: LabelNames) -> LabelledText:
    """Join the tokens to a text with a label for each character.

    Raises:
        DatasetError: a token lacks a known label.
    """
    tokens, names = record.strings("tokens"), record.strings("labels")
    if len(tokens) != len(names):
        raise record.error(
            f"{len(tokens)} tokens and {len(names)} labels; expected a label for each token"
        )
    target: list[str] = []
    for token, name in zip(tokens, names, strict=True):
        if not token:
            raise record.error("a token is empty; expected a character or a word")
        spread = _spread(name, len(token))
        for label in spread:
            labels.id_of(record, label)
        target.extend(spread)
    return LabelledText(texts=("".join(tokens),), target=tuple(target), line=record.line)


def _spread(label: str, characters: int) -> list[str]:
    """Spread a token's label over its characters, so that they spell the same entity."""
    prefix, dash, kind = label.partition("-")
    if characters == 1 or not dash or prefix not in _ENDS:
        return [label] * characters
    first, last = _ENDS[prefix]
    return [f"{first}-{kind}", *[f"I-{kind}"] * (characters - 2), f"{last}-{kind}"]


def _records_of_columns(path: Path) -> Iterator[Record]:
    tokens: list[str] = []
    labels: list[str] = []
    first = count = 0
    for line, text in numbered_lines(path):
        parts = text.split()
        if len(parts) == 2:
            first = first or line
            tokens.append(parts[0])
            labels.append(parts[1])
            continue
        if parts:
            raise DatasetError(
                f"{path}:{line}: {text!r:.60}; expected a token, a tab and its label, or an empty "
                "line between texts"
            )
        if tokens:
            yield _record(path, first, tokens, labels)
            count += 1
        tokens, labels, first = [], [], 0
    if tokens:
        yield _record(path, first, tokens, labels)
        count += 1
    if not count:
        raise DatasetError(f"{path}:1: the file is empty; expected examples")


def _record(path: Path, line: int, tokens: list[str], labels: list[str]) -> Record:
    return Record(path=path, line=line, values={"tokens": tokens, "labels": labels})
