"""SentencePiece's algorithm and GPT-2's byte-level one, spelled out, with the places of pieces.

transformers' slow `XLMRobertaTokenizer` and `RobertaTokenizer` did this work. Each character keeps
the place in the text that it came from through every step.
"""

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import regex  # type: ignore[import-untyped]

from ernie_triton.build.load.pieces.sentencepiece_model import read_unigram
from tests.build.load.pieces.folders import MODEL

SPACE = "\u2581"
_WORDS = regex.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Piece:
    """A piece with its id, and the characters of the text that it came from."""

    id: int
    first: int
    end: int


class SlowSentencePiece:
    """The fixture's model: longest rule first, then the best path through the pieces."""

    def __init__(self) -> None:
        lines = MODEL.with_name("rules.tsv").read_text(encoding="utf-8").splitlines()
        rules = [line.split("\t") for line in lines]
        self._rules = {_text(codes[0]): _text(codes[1]) for codes in rules}
        pieces = read_unigram(MODEL).pieces
        self._scores = {piece.piece: piece.score for piece in pieces[3:]}
        self._ids = {piece.piece: number + 1 for number, piece in enumerate(pieces) if number > 2}
        self._unknown = min(self._scores.values()) - 10

    def joins(self, text: str) -> bool:
        """Return whether each mark in a text is joined to the character before it."""
        left = text
        for key in sorted(self._rules, key=len, reverse=True):
            left = left.replace(key, " ")
        return not any(regex.match(r"[\p{M}\uff9e\uff9f]", character) for character in left)

    def pieces(self, text: str) -> list[Piece]:
        """The pieces of a text without special tokens."""
        characters = list(self._normalised(text))
        spelled = "".join(character for character, _, _ in characters)
        found: list[tuple[int, int, bool]] = []
        for first, end in self._best(spelled):
            known = spelled[first:end] in self._scores
            if not known and found and not found[-1][2]:
                found[-1] = (found[-1][0], end, False)  # unknown neighbours are one piece
            else:
                found.append((first, end, known))
        return [
            Piece(self._ids.get(spelled[first:end], 3), *_place(characters[first:end]))
            for first, end, _ in found
        ]

    def _normalised(self, text: str) -> Iterator[tuple[str, int, int]]:
        """Characters with the first and the last place, excluded, in the text."""
        made: list[tuple[str, int, int]] = [(SPACE, 0, 0)]
        place = 0
        while place < len(text):
            keys = [key for key in self._rules if text.startswith(key, place)]
            key = max(keys, key=len, default=text[place])
            for character in self._rules.get(key, key):
                if character != " ":
                    made.append((character, place, place + len(key)))
                elif made[-1][0] != SPACE:
                    made.append((SPACE, place, place + len(key)))
            place += len(key)
        while made and made[-1][0] == SPACE:
            made.pop()
        return iter(made)

    def _best(self, text: str) -> list[tuple[int, int]]:
        """The path of the highest score."""
        best: list[tuple[float, int]] = [(0.0, 0)] + [(-math.inf, 0)] * len(text)
        for first in range(len(text)):
            for end in range(first + 1, min(len(text), first + 24) + 1):
                score = self._scores.get(text[first:end])
                if score is None and end == first + 1:
                    score = self._unknown
                if score is not None and best[first][0] + score > best[end][0]:
                    best[end] = (best[first][0] + score, first)
        path, end = [], len(text)
        while end:
            path.append((best[end][1], end))
            end = best[end][1]
        return path[::-1]


class SlowBytes:
    """Byte pairs of a `tokenizer.json`, merged by rank within GPT-2's words."""

    def __init__(self, document: str) -> None:
        model: dict[str, Any] = json.loads(document)["model"]
        self._ids = model["vocab"]
        pairs = (tuple(one.split(" ")) if isinstance(one, str) else one for one in model["merges"])
        self._ranks = {(one, other): rank for rank, (one, other) in enumerate(pairs)}
        self._spelled = _spelled_bytes()

    def pieces(self, text: str) -> list[Piece]:
        """The pieces of a text without special tokens."""
        found = []
        for word in _WORDS.finditer(text):
            symbols = [
                (self._spelled[byte], place, place + 1)
                for place in range(*word.span())
                for byte in text[place].encode("utf-8")
            ]
            found.extend(self._merged(symbols))
        return [Piece(self._ids[symbol], first, end) for symbol, first, end in found]

    def _merged(self, symbols: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
        while len(symbols) > 1:
            ranks = [
                self._ranks.get((one[0], other[0]), math.inf)
                for one, other in itertools.pairwise(symbols)
            ]
            lowest = min(ranks)
            if lowest == math.inf:
                break
            place = ranks.index(lowest)
            one, other = symbols[place : place + 2]
            symbols[place : place + 2] = [(one[0] + other[0], one[1], other[2])]
        return symbols


def _place(characters: list[tuple[str, int, int]]) -> tuple[int, int]:
    """The place of a piece's characters, without the space before it."""
    own = [one for one in characters if one[0] != SPACE] or [
        (SPACE, characters[-1][2], characters[-1][2])
    ]
    return own[0][1], own[-1][2]


def _text(codes: str) -> str:
    return "".join(chr(int(code, 16)) for code in codes.split())


def _spelled_bytes() -> dict[int, str]:
    """The character of each byte: its own where that can be seen, or one from 256 on."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in seen]
    return {byte: chr(byte) for byte in seen} | {
        byte: chr(256 + number) for number, byte in enumerate(others)
    }
