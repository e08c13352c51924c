"""Texts to token ids as a `tokenizer.json` says: SentencePiece's pieces, or byte-level ones.

The `tokenizers` library does the work, so ids are its own. Places are mended: a piece does not
begin in the space before it, and a letter keeps the marks that the normaliser joined to it. Pieces
that ERNIE-M cuts further come from `split_pieces`.
"""

import json
import re
import unicodedata
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from tokenizers import Encoding, Tokenizer

from ernie_triton.arrays import Int32
from ernie_triton.tokenizer.long_texts import (
    LONGEST_PIECED_WORD,
    SHORT_TEXT_CHARACTERS_PER_TOKEN,
    most_read,
)
from ernie_triton.tokenizer.split_pieces import SplitPieces
from ernie_triton.tokenizer.token_rows import TextTokens
from ernie_triton.tokenizer.vocabulary import Vocabulary
from ernie_triton.tokenizer.words import Origin, is_ideograph

_INVISIBLE = re.compile(
    "[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
"""Characters that the rules of a document may remove."""
_SPARE_TOKENS = LONGEST_PIECED_WORD
"""So many tokens before the end of a text that was cut anywhere, its end decides none."""

_SPLIT_AT_SPACES = {"WhitespaceSplit", "Metaspace", "ByteLevel"}
_CUT = re.compile(r"(?<=\S) (?=\w)")
_CUT_NOWHERE = re.compile(r"(?!)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_KANA = re.compile("[\u3040-\u30ff\u31f0-\u31ff]")


class PieceReader(Protocol):
    """Cuts texts into the tokens of one vocabulary."""

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text."""

    def placed(self, texts: Sequence[str]) -> list[list[tuple[int, Origin]]]:
        """The tokens of each text: ids, and their places."""


class DocumentTexts:
    """Tokenise texts for one vocabulary and length."""

    def __init__(self, vocabulary: Vocabulary, max_length: int) -> None:
        """Load the vocabulary's document."""
        self._max_length = max_length
        rules = vocabulary.rules
        self._reader: PieceReader = (
            SplitPieces(vocabulary) if rules.splits_pieces else _LibraryPieces(vocabulary.document)
        )
        separate = vocabulary.special_id(rules.names.separate)
        self._start = [vocabulary.special_id(rules.names.classify)]
        self._between = [separate] * (rules.separators - 1)
        self._end = [separate]
        at_spaces = rules.splits_pieces or _splits_at_spaces(json.loads(vocabulary.document))
        self._cut = _CUT if at_spaces else _CUT_NOWHERE

    def tokens(self, texts: Sequence[str], texts_per_row: int) -> tuple[Int32, Int32]:
        """Token ids of all rows with special tokens, and the count of each text without them.

        A long text has at least as many as a row can hold.
        """
        short = self._max_length * SHORT_TEXT_CHARACTERS_PER_TOKEN
        readable = [_readable(text) for text in texts]
        rows = self._reader.ids([text if len(text) <= short else "" for text in readable])
        ids, counts = array("i"), array("i")
        for place, (text, row) in enumerate(zip(readable, rows, strict=True)):
            found = row if len(text) <= short else self._leading_ids(text, short)
            ids.extend(self._between if place % texts_per_row else self._start)
            ids.extend(found)
            ids.extend(self._end)
            counts.append(len(found))
        return np.array(ids, np.int32), np.array(counts, np.int32)

    def tokens_with_spans(self, texts: Sequence[str]) -> list[TextTokens]:
        """The tokens of whole texts, and the place of each in its text."""
        readable = [_readable(text) for text in texts]
        rows = self._reader.placed(readable)
        return [_with_spans(text, row) for text, row in zip(readable, rows, strict=True)]

    def _leading_ids(self, text: str, characters: int) -> list[int]:
        """Token ids of a long text, at least as many as a row can hold.

        A text may be cut before a word. Cut anywhere, its last pieces may be others.
        """
        if cut := self._cut.search(text, characters, 2 * characters):
            [ids] = self._reader.ids([text[: cut.start()]])
            if len(ids) >= self._max_length:
                return ids
        most = most_read(self._max_length)
        [ids] = self._reader.ids([text[:most]])
        if len(text) <= most or len(ids) >= self._max_length + _SPARE_TOKENS:
            return ids
        [ids] = self._reader.ids([text])
        return ids


class _LibraryPieces:
    """The pieces of the `tokenizers` library, as its document says."""

    def __init__(self, document: str) -> None:
        self._tokenizer = Tokenizer.from_str(document)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._removed: dict[str, bool] = {}

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        rows = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [row.ids for row in rows]

    def placed(self, texts: Sequence[str]) -> list[list[tuple[int, Origin]]]:
        kept = [self._kept_places(text) for text in texts]
        read = [
            text if places is None else "".join(text[place] for place in places)
            for text, places in zip(texts, kept, strict=True)
        ]
        rows: list[Encoding] = self._tokenizer.encode_batch(read, add_special_tokens=False)
        return [
            [
                (number, _original_place(_place(text, *offsets), places))
                for number, offsets in zip(row.ids, row.offsets, strict=True)
            ]
            for text, places, row in zip(read, kept, rows, strict=True)
        ]

    def _kept_places(self, text: str) -> list[int] | None:
        """The places of the characters that the document's rules do not remove; None for all.

        The library gives what stands around a removed one, such as a zero-width space, wrong
        places. A character with a mark behind it is not looked at alone.
        """
        removed = {
            found.start()
            for found in _INVISIBLE.finditer(text)
            if self._is_removed(found[0])
            and not (found.end() < len(text) and _is_mark(text[found.end()]))
        }
        return [place for place in range(len(text)) if place not in removed] if removed else None

    def _is_removed(self, character: str) -> bool:
        if character not in self._removed:
            normalizer = self._tokenizer.normalizer
            is_removed = normalizer is not None and not normalizer.normalize_str(character)
            self._removed[character] = is_removed
        return self._removed[character]


def _readable(text: str) -> str:
    """The text without halves of characters, which the library cannot read."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _with_spans(text: str, tokens: Sequence[tuple[int, Origin]]) -> TextTokens:
    spans = []
    end = 0
    for _, (first, last) in tokens:
        # Several pieces of one character, such as the space put before a text, are one word.
        spans.append((first, last, int(first >= end and not _is_inside_word(text, first))))
        end = last
    return TextTokens(
        ids=np.array([number for number, _ in tokens], np.int32),
        spans=np.array(spans, np.int32).reshape(-1, 3),
    )


def _place(text: str, first: int, end: int) -> tuple[int, int]:
    """One token's place, without spaces before it and with the marks behind it."""
    while first < end and text[first].isspace():
        first += 1
    while end < len(text) and _is_mark(text[end]):
        end += 1
    return first, end


def _original_place(place: Origin, kept: Sequence[int] | None) -> Origin:
    """A place in the text as it was sent, from one among the characters that were kept."""
    first, end = place
    if kept is None or not kept:
        return place
    begin = kept[first] if first < len(kept) else kept[-1] + 1
    return begin, max(begin, kept[end - 1] + 1 if end else 0)


def _is_inside_word(text: str, place: int) -> bool:
    around = text[max(place - 1, 0) : place + 1]
    return 0 < place < len(text) and all(map(_is_of_word, around))


def _is_of_word(character: str) -> bool:
    """False where a character ends a word, or is one, as in writing without spaces."""
    if is_ideograph(character) or _KANA.match(character):
        return False
    return character.isalnum() or _is_mark(character)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def _splits_at_spaces(document: Mapping[str, Any]) -> bool:
    """Return whether no piece or added token reaches over the space before a word."""
    added = document.get("added_tokens") or ()
    crossed = any(character.isspace() for token in added for character in token["content"])
    kinds = {part.get("type") for part in _parts(document.get("pre_tokenizer") or {})}
    return not crossed and bool(kinds & _SPLIT_AT_SPACES)


def _parts(part: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A pre-tokenizer, or those of a sequence; parts that do not split are left out."""
    if part.get("type") == "Sequence":
        for one in part.get("pretokenizers") or ():
            yield from _parts(one)
    elif part.get("split", True) and part.get("use_regex", True):
        yield part
