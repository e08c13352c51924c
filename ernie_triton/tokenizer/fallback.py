"""Texts to tokens one by one, for any characters; slower than `character_table`.

The `tokenizers` library does the work. Its normaliser differs from the original tokenizer's on
characters that its Unicode tables do not know: unassigned code points, recent punctuation, CJK
extension E. Nor does it split at symbols, as PaddleNLP does. Texts with such characters are split
into words by `basic_words` before its WordPiece.
"""

import functools
import re
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import AddedToken, Encoding, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, WhitespaceSplit

from ernie_triton.tokenizer.character_table import AGREED, SEPARATES
from ernie_triton.tokenizer.long_texts import refuse_piled_marks
from ernie_triton.tokenizer.piece_table import CONTINUES
from ernie_triton.tokenizer.token_rows import TextTokens
from ernie_triton.tokenizer.vocabulary import Vocabulary
from ernie_triton.tokenizer.words import Origin, basic_words, is_symbol, words_with_origins

_OTHER = re.compile(f"[^{AGREED}]")
_SHORT_WORD = 32
"""Characters up to which a word of letters and digits is cut here, without the library."""


class FallbackTokenizer:
    """Tokenise texts one by one, for one vocabulary, without special tokens.

    Attributes:
        reads_every_text: no text may be looked up in a table instead.
        special: finds the tokens that texts spell.
    """

    reads_every_text = False

    def __init__(
        self, vocabulary: Vocabulary, *, lower_case: bool, tokenize_chinese_chars: bool = True
    ) -> None:
        """Prepare the tokenizers."""
        rules = vocabulary.rules
        how: Mapping[str, Any] = {
            "lower_case": lower_case,
            "tokenize_chinese_chars": tokenize_chinese_chars,
            "strip_accents": rules.strip_accents,
            "never_split": frozenset(rules.never_split),
            "splits_symbols": rules.splits_symbols,
        }
        self._splits_symbols = rules.splits_symbols
        self._basic_words: Callable[[str], list[str]] = functools.partial(basic_words, **how)
        self._words_with_origins: Callable[[str], list[tuple[str, list[Origin]]]]
        self._words_with_origins = functools.partial(words_with_origins, **how)
        specials = spelled_tokens(vocabulary)
        self.special = any_of(specials)
        self._spelled = (*specials, *rules.never_split)
        self._first_characters = frozenset(token[0] for token in specials)
        self._lower_case = lower_case
        self._unknown = vocabulary.unknown_id
        self._vocabulary = vocabulary.ids
        self._texts = word_piece(vocabulary, specials)
        self._texts.normalizer = BertNormalizer(
            clean_text=True,
            handle_chinese_chars=tokenize_chinese_chars,
            strip_accents=rules.strip_accents,
            lowercase=lower_case,
        )
        self._texts.pre_tokenizer = BertPreTokenizer()
        self._words = word_piece(vocabulary, specials)
        self._words.pre_tokenizer = WhitespaceSplit()

    def special_places(self, text: str) -> list[int]:
        """Places in a text at which it may spell a token."""
        for character in self._first_characters:
            if character in text:
                return [match.start() for match in self.special.finditer(text)]
        return []

    def may_be_cut(self, cut: re.Pattern[str]) -> bool:
        """Return whether a text may be read in two parts where `cut` matches."""
        return not any(cut.search(token) for token in self._spelled)

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text.

        Raises:
            TextError: a character of a text has too many combining marks.
        """
        agreed = [self._is_agreed(text) for text in texts]
        plain = [text for text, ok in zip(texts, agreed, strict=True) if ok]
        split = [self._as_words(text) for text, ok in zip(texts, agreed, strict=True) if not ok]
        fast = iter(self._texts.encode_batch_fast(plain, add_special_tokens=False))
        exact = iter(self._words.encode_batch_fast(split, add_special_tokens=False))
        return [next(fast if ok else exact).ids for ok in agreed]

    def tokens_with_spans(self, texts: Sequence[str]) -> list[TextTokens]:
        """The tokens of each text, and the place of each in its text."""
        agreed = [self._is_agreed(text) for text in texts]
        plain = [text for text, ok in zip(texts, agreed, strict=True) if ok]
        rows = iter(self._texts.encode_batch(plain, add_special_tokens=False))
        return [
            text_tokens(next(rows), None) if ok else self._tokens_of_words(text)
            for text, ok in zip(texts, agreed, strict=True)
        ]

    def _is_agreed(self, text: str) -> bool:
        """Return whether the library splits a text into the words that the rules ask for."""
        if _OTHER.search(text):
            return False
        return not (self._splits_symbols and any(map(is_symbol, text + text.lower())))

    def word_ids(self, words: Sequence[str]) -> list[bytes]:
        """The ids of each word as int32 [characters], filled up with SEPARATES.

        Words are of characters that `character_table` marks IN_WORD, so that a word has at least
        as many characters as tokens.
        """
        others = [word for word in words if not _is_short_and_latin(word)]
        rows = iter(
            self._texts.encode_batch_fast(others, add_special_tokens=False) if others else ()
        )
        made = []
        for word in words:
            ids = self._pieces_of(word) if _is_short_and_latin(word) else next(rows).ids
            made.append(array("i", [*ids, *[SEPARATES] * (len(word) - len(ids))]).tobytes())
        return made

    def _pieces_of(self, word: str) -> list[int]:
        """The ids of a word of ASCII letters and digits: always the longest piece that fits.

        It is no token that texts may spell; texts with one are read by `token_ids`.
        """
        word = word.lower() if self._lower_case else word
        found: list[int] = []
        start, prefix = 0, ""
        while start < len(word):
            for end in range(len(word), start, -1):
                if (piece := self._vocabulary.get(prefix + word[start:end])) is not None:
                    found.append(piece)
                    start, prefix = end, CONTINUES
                    break
            else:
                return [self._unknown]
        return found

    def word_tokens(self, words: Sequence[str]) -> list[bytes]:
        """The tokens of each word as int32 [characters, 3]; SEPARATES where no token begins.

        A token's id, its length in characters, and 1 where it begins a word.
        """
        rows = self._texts.encode_batch(words, add_special_tokens=False)
        made = []
        for word, row in zip(words, rows, strict=True):
            cells = np.full((len(word), 3), SEPARATES, np.int32)
            tokens = text_tokens(row, None)
            firsts, ends, starts_word = tokens.spans.T
            cells[firsts] = np.stack([tokens.ids, ends - firsts, starts_word], axis=1)
            made.append(cells.tobytes())
        return made

    def _as_words(self, text: str) -> str:
        refuse_piled_marks(text)
        words: list[str] = []
        for index, part in enumerate(self.special.split(text)):
            is_special = index % 2
            words.extend([part] if is_special else self._basic_words(part))
        return " ".join(words)

    def _tokens_of_words(self, text: str) -> TextTokens:
        """The same by `words_with_origins`, whose characters know their place in the text."""
        refuse_piled_marks(text)
        words: list[str] = []
        origins: list[Origin] = []
        place = 0
        for index, part in enumerate(self.special.split(text)):
            found = (
                [(part, [(i, i + 1) for i in range(len(part))])]
                if index % 2
                else self._words_with_origins(part)
            )
            for word, word_origins in found:
                words.append(word)
                origins.extend((first + place, end + place) for first, end in word_origins)
                origins.append((-1, -1))  # the space that joins it to the next
            place += len(part)
        row = self._words.encode(" ".join(words), add_special_tokens=False)
        return text_tokens(row, origins)


def _is_short_and_latin(word: str) -> bool:
    return len(word) <= _SHORT_WORD and word.isascii()


def spelled_tokens(vocabulary: Vocabulary) -> dict[str, int]:
    """The tokens that texts may spell, special and added ones, with their ids."""
    specials = {token: vocabulary.special_id(token) for token in vocabulary.special_tokens}
    return specials | {token.content: token.id for token in vocabulary.rules.added}


def any_of(tokens: Iterable[str]) -> re.Pattern[str]:
    """Match any of these tokens, the longest from each place on, as a group."""
    longest_first = sorted(tokens, key=len, reverse=True)
    return re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")


def word_piece(vocabulary: Vocabulary, specials: Mapping[str, int]) -> Tokenizer:
    """A tokenizer of single words that knows these tokens' spelling in texts."""
    unknown = vocabulary.rules.names.unknown
    ids = {**vocabulary.ids, unknown: vocabulary.unknown_id, **specials}
    tokenizer = Tokenizer(WordPiece(ids, unk_token=unknown))
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in specials])
    return tokenizer


def text_tokens(row: Encoding, origins: Sequence[Origin] | None) -> TextTokens:
    """One text's tokens; `origins` are the places of the characters that were tokenised."""
    spans = np.empty((len(row.ids), 3), np.int32)
    previous = None
    for place, ((first, end), word) in enumerate(zip(row.offsets, row.word_ids, strict=True)):
        starts_word = word is None or word != previous
        if origins is not None:
            first, end = origins[first][0], origins[end - 1][1]
        spans[place] = (first, end, starts_word)
        previous = word
    return TextTokens(ids=np.array(row.ids, np.int32), spans=spans)
