"""A batch of texts as one array over characters, which is turned into token ids in place."""

import itertools
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Bool, Int32, Int64
from ernie_triton.tokenizer.character_table import IN_WORD, SEPARATES, UNPROVEN
from ernie_triton.tokenizer.piece_table import PieceTable, WordPieces
from ernie_triton.tokenizer.token_rows import TextTokens
from ernie_triton.tokenizer.word_cache import WordCache

START, END = "\x02", "\x03"
"""Characters before each row and after each text; the table must hold their special tokens' ids."""


class JoinedTexts:
    """A batch in the order of its rows: START text END, or START text END text END, and so on.

    Attributes:
        text: all of them.
        values: int32 [characters], the table's entries: an id, SEPARATES, IN_WORD or UNPROVEN.
        counts: int32 [texts], characters of each text.
    """

    def __init__(self, texts: Sequence[str], texts_per_row: int, table: Int32) -> None:
        """Look all characters up in a `character_table`."""
        self._texts = texts
        self._texts_per_row = texts_per_row
        if texts_per_row == 1:
            self.text = f"{START}{f'{END}{START}'.join(texts)}{END}"
        else:
            columns = (texts[place::texts_per_row] for place in range(texts_per_row))
            rows = map(END.join, zip(*columns, strict=True))
            self.text = "".join([f"{START}{row}{END}" for row in rows])
        # A lone surrogate is no character, but the original tokenizer drops it like a control.
        self._codes = np.frombuffer(self.text.encode("utf-32-le", "surrogatepass"), np.uint32)
        self.values: Int32 = table.take(self._codes, mode="clip")
        self._lowest = int(np.minimum.reduce(self.values))
        self.counts = np.array(list(map(len, texts)), np.int32)

    @property
    def is_plain(self) -> bool:
        """True when every character is a token, so that `values` are the rows' ids."""
        return self._lowest >= 0

    @property
    def has_marks_inside(self) -> bool:
        """True when a text holds START or END."""
        texts = len(self._texts)
        rows = texts // self._texts_per_row
        return self.text.count(START) != rows or self.text.count(END) != texts

    def unproven_texts(self) -> set[int]:
        """Texts with an UNPROVEN character, or with START or END."""
        unproven: set[int] = set()
        if self._lowest == UNPROVEN:
            unproven.update(self.texts_at(np.flatnonzero(self.values == UNPROVEN)))
        if self.has_marks_inside:
            unproven.update(i for i, text in enumerate(self._texts) if START in text or END in text)
        return unproven

    def texts_at(self, places: npt.ArrayLike) -> list[int]:
        """The text of each of these characters of `text`."""
        found: list[int] = np.searchsorted(self._ends, places, side="right").tolist()
        return found

    def leave_out(self, texts: Sequence[int]) -> None:
        """Make no tokens of these texts."""
        for text in texts:
            self.values[self.firsts[text] : self._ends[text] - 1] = SEPARATES

    def words(self) -> tuple[Bool, list[str]]:
        """A mask of the characters in words, bool [characters], and the words in order."""
        in_word = self.values == IN_WORD
        # Every word has START or END before it and END after it; an edge is before the next place.
        edges = ((in_word[1:] != in_word[:-1]).nonzero()[0] + 1).tolist()
        words = map(slice, edges[::2], edges[1::2])
        return in_word, [*map(self.text.__getitem__, words)]

    def put_word_ids(self, cache: WordCache) -> None:
        """Put the ids of words, each int32 [characters of the word], in their places."""
        in_word, words = self.words()
        if words:
            self.values[in_word] = np.frombuffer(cache.joined(words), np.int32)

    def put_pieces(self, table: PieceTable) -> WordPieces:
        """Put the ids of words, cut by a table, in their places; return the pieces."""
        in_word = self.values == IN_WORD
        pieces = table.pieces(self._codes, in_word)
        self.values[in_word] = SEPARATES
        self.values[pieces.places] = pieces.ids
        return pieces

    def tokens(self, others: Mapping[int, Sequence[int]]) -> tuple[Int32, Int32]:
        """All ids, with those of START and END, and the count of each text without them.

        Args:
            others: the ids of texts that were left out.
        """
        is_token = self.values >= 0
        ids = self.values[is_token]
        if len(self._texts) == 1 and not others:
            return ids, np.array([len(ids) - 2], np.int32)
        # From the first character of a text to START or END, of which each has one at least.
        marks = 1 + self._heads
        counts = np.add.reduceat(is_token, self._starts, dtype=np.int32) - marks
        if others:
            places = np.cumsum(counts + marks) - counts - 1
            chosen = sorted(others)
            added = [len(others[text]) for text in chosen]
            ids = np.insert(
                ids,
                np.repeat(places[chosen], added),
                [token_id for text in chosen for token_id in others[text]],
            )
            counts[chosen] = added
        return ids, counts

    def tokens_with_spans(self, words: WordCache | PieceTable) -> list[TextTokens]:
        """The tokens of each text, none for texts left out; rows must be of one text.

        Args:
            words: the table that cuts words, or a cache of `FallbackTokenizer.word_tokens`.
        """
        cells = np.ones((len(self.values), 3), np.int32)
        if isinstance(words, PieceTable):
            pieces = self.put_pieces(words)
            cells[pieces.places, 1], cells[pieces.places, 2] = pieces.lengths, pieces.begins
        else:
            in_word, found = self.words()
            if found:
                cells[in_word] = np.frombuffer(words.joined(found), np.int32).reshape(-1, 3)
                self.values[in_word] = cells[in_word, 0]
        places = (self.values >= 0).nonzero()[0]
        # Each text's tokens stand between those of its START and its END.
        bounds = [0, *np.searchsorted(places, self._ends).tolist()]
        counts = [end - first for first, end in itertools.pairwise(bounds)]
        spans = cells[places]
        spans[:, 0] = places - np.repeat(self.firsts, counts)
        spans[:, 1] += spans[:, 0]
        ids = self.values[places]
        return [
            TextTokens(ids=ids[first + 1 : end - 1], spans=spans[first + 1 : end - 1])
            for first, end in itertools.pairwise(bounds)
        ]

    @property
    def firsts(self) -> Int64:
        """int64 [texts], the place in `text` of each text's first character."""
        firsts: Int64 = self._ends - self.counts - 1
        return firsts

    @cached_property
    def _heads(self) -> Int32:
        """1 for texts with START before them."""
        heads = np.zeros(len(self._texts), np.int32)
        heads[:: self._texts_per_row] = 1
        return heads

    @cached_property
    def _ends(self) -> Int64:
        """Places in `text` after each text's END."""
        return np.cumsum(self.counts + self._heads + 1, dtype=np.int64)

    @property
    def _starts(self) -> Int64:
        starts: Int64 = self.firsts - self._heads
        return starts
