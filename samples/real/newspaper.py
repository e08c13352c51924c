"""Read newspaper lines whose words are tagged, as characters with labels.

A line is `王/nr  小明/nr  在/p  [北京/ns  大学/n]nt`: `nr` are persons with their two names apart,
`ns` places, `nt` organisations, and brackets join words to one name.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from samples.errors import DataError
from samples.generators.msra_ner import TaggedLine

LINE_CHARACTERS = 120
"""Most characters of a line, unless no sentence or clause ends within them."""

_KINDS = {"nr": "PER", "ns": "LOC", "nt": "ORG"}
_WORD = re.compile(r"(\[*)(.*[^\[])/([A-Za-z]+)((?:\][A-Za-z]*)*)")
_ENDS = ("。！？；", "，：、")
_AFTER_END = "”’』」）》"
_COMPOUND_FAMILY_NAMES = ("欧阳", "司马", "上官", "诸葛", "司徒", "令狐", "皇甫", "慕容", "夏侯")
_GIVEN_NAME_CHARACTERS = 2
_TAGS_OF_TWO = ("nr", "ns", "nt", "nz", "vn")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedWord:
    """A word and its tag."""

    text: str
    tag: str


def read_words(line: str, where: str) -> list[TaggedWord]:
    """Read the words of a line; those in brackets become one, the outermost brackets win.

    Brackets whose tag is no entity's are dropped, and their words stay.

    Raises:
        DataError: a word has no tag, or brackets do not match; `where` names the line.
    """
    words: list[TaggedWord] = []
    opened: list[int] = []
    for piece in line.split():
        match = _WORD.fullmatch(piece)
        if match is None:
            raise DataError(f"{where}: {piece!r} is no word with a tag; expected 北京/ns")
        opened += [len(words)] * len(match[1])
        words.append(TaggedWord(text=match[2], tag=match[3]))
        for tag in match[4].split("]")[1:]:
            if not opened:
                raise DataError(f"{where}: {piece!r} closes a bracket that none opened")
            start = opened.pop()
            if tag in _KINDS:
                text = "".join(word.text for word in words[start:])
                words[start:] = [TaggedWord(text=text, tag=tag)]
    if opened:
        raise DataError(f"{where}: a bracket is opened and not closed")
    return words


def with_whole_names(words: Sequence[TaggedWord]) -> list[TaggedWord]:
    """Join a family name with the given name after it."""
    joined: list[TaggedWord] = []
    is_family = False
    for word in words:
        if is_family and word.tag == "nr" and len(word.text) <= _GIVEN_NAME_CHARACTERS:
            joined[-1] = TaggedWord(text=joined[-1].text + word.text, tag="nr")
            is_family = False
            continue
        joined.append(word)
        is_name = len(word.text) == 1 or word.text in _COMPOUND_FAMILY_NAMES
        is_family = word.tag == "nr" and is_name
    return joined


def entity_line(words: Sequence[TaggedWord]) -> TaggedLine:
    """Label the characters with persons, places and organisations, as MSRA_NER does."""
    return _labelled(words, {word.tag: _KINDS.get(word.tag, "") for word in words})


def word_line(words: Sequence[TaggedWord]) -> TaggedLine:
    """Label the characters with their word's class: a letter, or two for names and verbal nouns."""
    classes = {
        word.tag: word.tag if word.tag in _TAGS_OF_TWO else word.tag[0].lower() for word in words
    }
    return _labelled(words, classes)


def short_lines(line: TaggedLine) -> Iterator[TaggedLine]:
    """Cut a long line at the ends of sentences, and at those of clauses where it must be."""
    start = 0
    for end in _cuts(line, 0, len(line.tokens), _ENDS):
        yield TaggedLine(tokens=line.tokens[start:end], labels=line.labels[start:end])
        start = end


def _labelled(words: Sequence[TaggedWord], kinds: dict[str, str]) -> TaggedLine:
    labels: list[str] = []
    for word in words:
        kind = kinds[word.tag]
        inside = [f"I-{kind}"] * (len(word.text) - 1)
        labels += [f"B-{kind}", *inside] if kind else ["O"] * len(word.text)
    return TaggedLine(tokens=tuple("".join(word.text for word in words)), labels=tuple(labels))


def _cuts(line: TaggedLine, start: int, stop: int, ends: Sequence[str]) -> Iterator[int]:
    """Yield the ends of parts of at most `LINE_CHARACTERS`, if the ends of one level allow it."""
    if stop - start <= LINE_CHARACTERS or not ends:
        yield stop
        return
    places = [place for place in range(start + 1, stop) if _ends_at(line, place, ends[0])]
    begun = start
    for place, following in zip([start, *places], [*places, stop], strict=True):
        if following - begun > LINE_CHARACTERS and place > begun:
            yield place
            begun = place
        if following - begun > LINE_CHARACTERS:
            yield from _cuts(line, begun, following, ends[1:])
            begun = following
    if begun < stop:
        yield stop


def _ends_at(line: TaggedLine, place: int, ends: str) -> bool:
    """Tell if a sentence or clause ends before a place, outside of entities."""
    tokens = line.tokens
    if tokens[place] in _AFTER_END or tokens[place] in ends or line.labels[place].startswith("I-"):
        return False
    before = place - 1
    while before > 0 and tokens[before] in _AFTER_END:
        before -= 1
    return tokens[before] in ends
