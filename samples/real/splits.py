"""Divide the texts into train, dev and held-out lines, and write them in CLUE's formats.

The last tenth of the newspaper and every tenth review are held out: nothing is trained on them or
chosen by them. What is chosen, is chosen by `dev.json`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from samples.generators.msra_ner import ENTITY_LABELS, TaggedLine
from samples.real.newspaper import (
    entity_line,
    read_words,
    short_lines,
    with_whole_names,
    word_line,
)
from samples.real.reviews import OPINIONS, Review
from samples.tasks import SampleLine, write_json_lines, write_lines

HELD_OUT_FILE = "held_out.json"
_TENTH, _TWENTIETH = 10, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RealSplits:
    """Lines to train on, to choose by, and to measure on; and what was dropped.

    Attributes:
        train: lines to train on.
        dev: lines to choose by.
        held_out: lines to measure on.
        repeated: lines dropped because their text stands in a split already.
        contradictory: texts dropped because both opinions have them.
    """

    train: Sequence[SampleLine]
    dev: Sequence[SampleLine]
    held_out: Sequence[SampleLine]
    repeated: int
    contradictory: int = 0

    def write(self, folder: Path, labels: Iterable[Mapping[str, object]]) -> str:
        """Write the files of a data set; returns a line that tells counts and lengths."""
        folder.mkdir(parents=True, exist_ok=True)
        write_lines(folder / "train.json", self.train)
        write_lines(folder / "dev.json", self.dev)
        write_lines(folder / HELD_OUT_FILE, self.held_out)
        write_json_lines(folder / "labels.json", labels)
        lengths = sorted(len(line.sentences[0]) for line in (*self.train, *self.dev))
        dropped = f"{self.repeated} repeated"
        dropped += f" and {self.contradictory} contradictory" if self.contradictory else ""
        return (
            f"{folder}: {len(self.train)} lines to train on, {len(self.dev)} to choose by, "
            f"{len(self.held_out)} held out; {lengths[len(lengths) // 2]} characters in the "
            f"middle, {lengths[-1]} at most; {dropped} lines dropped"
        )


def write_newspaper(lines: Sequence[str], folder: Path) -> list[str]:
    """Write `entities/` and `words/`, with the classes of all words; returns a line about each.

    Raises:
        DataError: a line is malformed.
    """
    words = [
        with_whole_names(read_words(line, f"newspaper line {number}"))
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    entities = [list(short_lines(entity_line(line))) for line in words]
    classes = [_cut_alike(word_line(line), cut) for line, cut in zip(words, entities, strict=True)]
    kinds = sorted({label for cut in classes for line in cut for label in line.labels})
    return [
        _in_order(entities).write(folder / "entities", _named(ENTITY_LABELS)),
        _in_order(classes).write(folder / "words", _named(kinds)),
    ]


def write_reviews(opinions: Sequence[Sequence[Review]], folder: Path) -> str:
    """Write `reviews/`; returns a line about it."""
    texts = [{review.text for review in reviews} for reviews in opinions]
    both = set.intersection(*texts)
    parts: list[list[Review]] = [[], [], []]
    for reviews in opinions:
        for number, review in enumerate(reviews):
            place = 2 if number % _TENTH == _TENTH - 1 else 1 if number % _TWENTIETH == 0 else 0
            if review.text not in both:
                parts[place].append(review)
    splits = _without_repeated(parts, contradictory=len(both))
    labels = ({"label": one.label, "label_desc": one.name} for one in OPINIONS)
    return splits.write(folder / "reviews", labels)


def _named(labels: Sequence[str]) -> list[dict[str, str]]:
    return [{"label": label, "label_desc": label} for label in labels]


def _in_order(lines: Sequence[Sequence[TaggedLine]]) -> RealSplits:
    """Split whole lines of the newspaper, which are cut, in their order."""
    held_out = len(lines) - len(lines) // _TENTH
    dev = held_out - held_out // _TWENTIETH
    parts = (lines[:dev], lines[dev:held_out], lines[held_out:])
    return _without_repeated([[line for cut in part for line in cut] for part in parts])


def _without_repeated(parts: Sequence[Sequence[SampleLine]], contradictory: int = 0) -> RealSplits:
    """Keep each text once: held out rather than in dev, and there rather than in train."""
    seen: set[str] = set()
    kept: list[list[SampleLine]] = []
    for part in reversed(parts):
        kept.append([])
        for line in part:
            [text] = line.sentences
            if text not in seen:
                seen.add(text)
                kept[-1].append(line)
    held_out, dev, train = kept
    repeated = sum(map(len, parts)) - sum(map(len, kept))
    return RealSplits(
        train=train, dev=dev, held_out=held_out, repeated=repeated, contradictory=contradictory
    )


def _cut_alike(line: TaggedLine, cut: Sequence[TaggedLine]) -> list[TaggedLine]:
    parts, start = [], 0
    for one in cut:
        end = start + len(one.tokens)
        parts.append(TaggedLine(tokens=line.tokens[start:end], labels=line.labels[start:end]))
        start = end
    return parts
