"""SentencePiece's pieces as ERNIE-M's tokenizer cuts them further, with the places in the text.

Follows PaddleNLP 2.8.1, `paddlenlp/transformers/ernie_m/tokenizer.py`: special tokens are found
first. What stands between them is normalised as SentencePiece does it, and cut into its pieces.
Ideographs and some punctuation then stand alone, digits stand apart from what is no digit, and
`vocab.txt` has the ids. transformers' port keeps the space before such a token as one of its own.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from ernie_triton.tokenizer.vocabulary import SPLIT_PIECES, Vocabulary
from ernie_triton.tokenizer.words import Origin

SPACE = "\u2581"
"""SentencePiece's sign for a space, which also stands before each text."""

_ALONE = frozenset(",;:.?!~，；：。？！《》【】")
_LONGEST_KEPT_PIECE = 64


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of one text: normalised characters with the places they came from.

    A special token has its id in place of `characters`.
    """

    text: int
    characters: str
    places: Sequence[Origin]
    special: int | None = None


class SplitPieces:
    """Tokens of texts for one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Load the vocabulary's document."""
        document: dict[str, Any] = json.loads(vocabulary.document)
        rules = document.pop(SPLIT_PIECES)
        self._tokenizer = Tokenizer.from_str(json.dumps(document))
        self._ids = vocabulary.ids
        self._unknown = vocabulary.unknown_id
        self._specials = {name: vocabulary.special_id(name) for name in vocabulary.special_tokens}
        longest_first = sorted(map(re.escape, self._specials), key=len, reverse=True)
        self._special = re.compile("|".join(longest_first))
        self._normaliser = _Normaliser(rules["characters"], lower_case=rules["lower_case"])
        self._keeps_spaces: bool = rules["keeps_spaces"]
        self._cuts: dict[str, list[tuple[int, int, int]]] = {}

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text."""
        return [[number for number, _ in tokens] for tokens in self.placed(texts)]

    def placed(self, texts: Sequence[str]) -> list[list[tuple[int, Origin]]]:
        """The tokens of each text: ids, and their places."""
        parts = [part for place, text in enumerate(texts) for part in self._parts(place, text)]
        spelled = [part.characters for part in parts]
        found: list[list[tuple[int, Origin]]] = [[] for _ in texts]
        rows = self._tokenizer.encode_batch(spelled, add_special_tokens=False)
        for part, row in zip(parts, rows, strict=True):
            if part.special is not None:
                found[part.text].append((part.special, part.places[0]))
            else:
                found[part.text].extend(self._tokens(part, row.offsets))
        return found

    def _parts(self, place: int, text: str) -> Iterator[_Part]:
        start = 0
        for special in self._special.finditer(text):
            yield self._between(place, text, start, special.start())
            yield _Part(place, "", [special.span()], self._specials[special[0]])
            start = special.end()
        yield self._between(place, text, start, len(text))

    def _between(self, place: int, text: str, start: int, end: int) -> _Part:
        return _Part(place, *self._normaliser.normalised(text, start, end))

    def _tokens(self, part: _Part, pieces: Sequence[Origin]) -> Iterator[tuple[int, Origin]]:
        for number, (start, end) in enumerate(pieces):
            piece = part.characters[start:end]
            if piece == SPACE:
                is_last = number + 1 == len(pieces)
                before_other = not is_last and part.characters[end] != SPACE
                if not (self._keeps_spaces and before_other and number):
                    continue
            for token, first, last in self._cut(piece):
                # The sign for a space takes no place of its own.
                inner = min(first + (piece[first] == SPACE), last - 1)
                place = part.places[start + inner][0], part.places[start + last - 1][1]
                yield token, (place if piece[first:last] != SPACE else (place[1], place[1]))

    def _cut(self, piece: str) -> list[tuple[int, int, int]]:
        """The tokens of a piece: ids, and the first character and the one after the last."""
        known = self._cuts.get(piece)
        if known is None:
            known = [
                (self._ids.get(piece[first:last], self._unknown), first, last)
                for first, last in _token_bounds(piece)
            ]
            # Unknown characters make pieces of any length: those of a few are worth remembering.
            if len(piece) <= _LONGEST_KEPT_PIECE and len(self._cuts) < len(self._ids):
                self._cuts[piece] = known
        return known


class _Normaliser:
    """Text as SentencePiece normalises it, each character with the place it came from."""

    def __init__(self, rules: Mapping[str, str], *, lower_case: bool) -> None:
        self._rules = rules
        self._lower_case = lower_case
        self._longest: dict[str, int] = {}
        for key in rules:
            self._longest[key[0]] = max(len(key), self._longest.get(key[0], 1))

    def normalised(self, text: str, start: int, end: int) -> tuple[str, list[Origin]]:
        """Normalise a stretch of a text; empty for one of spaces alone."""
        characters, places = [SPACE], [(start, start)]
        after_space = True
        for replaced, place in self._replaced(text, start, end):
            kept = replaced.lstrip(" ") if after_space else replaced
            if kept:
                characters.append(kept)
                places.extend([place] * len(kept))
                after_space = kept.endswith(" ")
        whole = "".join(characters).replace(" ", SPACE).rstrip(SPACE)
        return whole, places[: len(whole)]

    def _replaced(self, text: str, start: int, end: int) -> Iterator[tuple[str, Origin]]:
        """The longest rule at each place, or the character itself."""
        if self._lower_case:
            folded = [(low, n) for n in range(start, end) for low in text[n].lower()]
            text = "".join(low for low, _ in folded)
            origin = [n for _, n in folded]
        else:
            text = text[start:end]
            origin = list(range(start, end))
        place, count = 0, len(text)
        while place < count:
            length = min(self._longest.get(text[place], 0), count - place)
            while length and text[place : place + length] not in self._rules:
                length -= 1
            found = text[place : place + length] if length else text[place]
            last = place + max(length, 1)
            yield self._rules.get(found, found), (origin[place], origin[last - 1] + 1)
            place = last


def _token_bounds(piece: str) -> Iterator[Origin]:
    """The tokens that a piece is cut into, as `ErnieMTokenizer._tokenize` walks through it."""
    if piece == SPACE:
        yield 0, 1
        return
    first = 0
    for place, character in enumerate(piece):
        if character == SPACE:
            continue
        alone = "\u4e00" <= character <= "\u9fff" or character in _ALONE
        turns = place > 0 and character.isdigit() != piece[place - 1].isdigit()
        if not alone and not turns:
            continue
        if place > first and piece[first:place] != SPACE:
            yield first, place
        if alone:
            yield place, place + 1
        first = place + 1 if alone else place
    if first < len(piece):
        yield first, len(piece)
