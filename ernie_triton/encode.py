"""Texts to token ids: first of the three stages.

Equal, id for id, to transformers' original (slow) `BertTokenizer` and PaddleNLP's `ErnieTokenizer`.
The `tokenizers` library does the work. Its normaliser differs from theirs on characters whose
Unicode properties its tables do not know (unassigned code points, recent punctuation, CJK
extension E); texts with such characters are split into words by `basic_words` and only then handed
to its WordPiece.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import AddedToken, Encoding, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, WhitespaceSplit

from ernie_triton.vocabulary import CLASSIFY, PAD, SEPARATE, UNKNOWN, Vocabulary
from ernie_triton.words import Origin, basic_words, words_with_origins

SHORT_TEXT_CHARACTERS_PER_TOKEN = 8
"""Texts up to this many characters per token allowed are tokenised whole."""

# Blocks on which `tokenizers` and Python's Unicode tables agree in every context: a test proves it.
_AGREED = (
    "\t\n\r\x20-\x7e\xa0-\u024f\u2010-\u2027\u2030-\u205e\u2103\u2116\u2122\u2150-\u2188"
    "\u2190-\u2328\u232b-\u23fe\u2460-\u27bf\u3000-\u3029\u3030-\u303f\u3041-\u3096\u309b-\u30ff"
    "\u3105-\u312f\u3400-\u4dbf\u4e00-\u9fef\uff01-\uffbe\uffe0-\uffe6\U0001f300-\U0001f64f"
)
_OTHER = re.compile(f"[^{_AGREED}]")
# What ends a word whatever stands before it: whitespace, ideographs, punctuation that is no part of
# a special token. Other characters that Python calls whitespace (\v, \f, U+001C to U+001F, U+0085)
# are controls here, dropped with the word around them left whole.
_CUT = re.compile(
    r"[^\S\v\f\x1c-\x1f\x85]|[,.!?;:，。！？、；：]"
    r"|[\u3400-\u4dbf\u4e00-\u9fef\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002ceaf]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedRows:
    """Rows of tokens, one after the other.

    Attributes:
        input_ids: int32 [tokens].
        token_type_ids: int32 [tokens]; 0 for the first text and its special tokens, 1 for the
            second's.
        lengths: int32 [rows], tokens of each row; at least 2.
        truncated: bool [rows], whether the row's text did not fit.
    """

    input_ids: npt.NDArray[np.int32]
    token_type_ids: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]
    truncated: npt.NDArray[np.bool_]

    def by_request(self, rows: Sequence[int], pad_token_id: int) -> list[dict[str, Any]]:
        """The tokenizer stage's output tensors of each request, its rows padded to its longest.

        Args:
            rows: how many rows each request has, in order.
            pad_token_id: what to pad with.
        """
        answers: list[dict[str, Any]] = []
        token = row = 0
        for count in rows:
            lengths = self.lengths[row : row + count]
            tokens = slice(token, token + int(lengths.sum()))
            ids, types = self.input_ids[tokens], self.token_type_ids[tokens]
            answers.append(
                {
                    "input_ids": _rectangle(ids, lengths, pad_token_id),
                    "token_type_ids": _rectangle(types, lengths, 0),
                    "lengths": lengths[:, None],
                    "truncated": self.truncated[row : row + count, None],
                }
            )
            token, row = tokens.stop, row + count
        return answers


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTokens:
    """The tokens of one text.

    Attributes:
        ids: int32 [tokens].
        spans: int32 [tokens, 3]: the token's first character in the text, the character after its
            last, and 1 where it begins a word.
    """

    ids: npt.NDArray[np.int32]
    spans: npt.NDArray[np.int32]


class TextEncoder:
    """Tokenises batches of texts, or of pairs of texts, for one vocabulary and length."""

    def __init__(self, vocabulary: Vocabulary, *, max_length: int, lower_case: bool) -> None:
        """Prepare the tokenizers.

        Args:
            vocabulary: tokens and ids.
            max_length: most tokens of one row, special tokens included.
            lower_case: fold case and strip accents, as an uncased model wants it.
        """
        self._max_length = max_length
        self._lower_case = lower_case
        self.classify_id = vocabulary.ids[CLASSIFY]
        self.separate_id = vocabulary.ids[SEPARATE]
        self.pad_token_id = vocabulary.ids[PAD]
        specials = vocabulary.special_tokens
        self._special = re.compile("(" + "|".join(map(re.escape, specials)) + ")")
        self._texts = _word_piece(vocabulary, specials)
        self._texts.normalizer = BertNormalizer(
            clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=lower_case
        )
        self._texts.pre_tokenizer = BertPreTokenizer()
        self._words = _word_piece(vocabulary, specials)
        self._words.pre_tokenizer = WhitespaceSplit()

    def encode(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> TokenizedRows:
        """Tokenise, cut to the length allowed (the longer text of a pair first), add specials.

        Args:
            texts: one for each row; an empty text is a valid text.
            pairs: second texts, as many, or None for single texts.
        """
        firsts = self._token_ids(texts)
        seconds = self._token_ids(pairs) if pairs is not None else None
        return self._single_rows(firsts) if seconds is None else self._pair_rows(firsts, seconds)

    def tokens_with_spans(self, texts: Sequence[str]) -> list[TextTokens]:
        """The tokens of whole texts, and where in the text each stands."""
        agreed = [not _OTHER.search(text) for text in texts]
        plain = [text for text, ok in zip(texts, agreed, strict=True) if ok]
        rows = iter(self._texts.encode_batch(plain, add_special_tokens=False))
        return [
            _tokens(next(rows), None) if ok else self._tokens_of_words(text)
            for text, ok in zip(texts, agreed, strict=True)
        ]

    def _tokens_of_words(self, text: str) -> TextTokens:
        """The same by way of words, whose characters know where they came from."""
        words: list[str] = []
        origins: list[Origin] = []
        place = 0
        for index, part in enumerate(self._special.split(text)):
            found = (
                [(part, [(i, i + 1) for i in range(len(part))])]
                if index % 2
                else words_with_origins(part, lower_case=self._lower_case)
            )
            for word, word_origins in found:
                words.append(word)
                origins.extend((first + place, end + place) for first, end in word_origins)
                origins.append((-1, -1))  # the space that joins it to the next
            place += len(part)
        row = self._words.encode(" ".join(words), add_special_tokens=False)
        return _tokens(row, origins)

    def _single_rows(self, texts: list[list[int]]) -> TokenizedRows:
        room = self._max_length - 2
        rows = [[self.classify_id, *ids[:room], self.separate_id] for ids in texts]
        return _rows(rows, [0] * len(rows), [len(ids) > room for ids in texts])

    def _pair_rows(self, firsts: list[list[int]], seconds: list[list[int]]) -> TokenizedRows:
        room = self._max_length - 3
        rows, second_lengths, truncated = [], [], []
        for first, second in zip(firsts, seconds, strict=True):
            a, b = _longest_first(len(first), len(second), room)
            head = [self.classify_id, *first[:a], self.separate_id]
            rows.append([*head, *second[:b], self.separate_id])
            second_lengths.append(b + 1)
            truncated.append(len(first) + len(second) > room)
        return _rows(rows, second_lengths, truncated)

    def _token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, at least as many as a row can hold where the text has them."""
        short = self._max_length * SHORT_TEXT_CHARACTERS_PER_TOKEN
        ids = self._tokenise([text if len(text) <= short else "" for text in texts])
        for index, text in enumerate(texts):
            if len(text) > short:
                ids[index] = self._leading_token_ids(text, short)
        return ids

    def _leading_token_ids(self, text: str, characters: int) -> list[int]:
        """Token ids of as much of a long text as a row can hold, without reading all of it.

        A text may be cut before whatever ends a word (`_CUT`).
        """
        while cut := _CUT.search(text, characters):
            ids = self._tokenise([text[: cut.start()]])[0]
            if len(ids) >= self._max_length:
                return ids
            characters = cut.start() * 2
        return self._tokenise([text])[0]

    def _tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        agreed = [not _OTHER.search(text) for text in texts]
        if all(agreed):
            return [
                row.ids for row in self._texts.encode_batch_fast(texts, add_special_tokens=False)
            ]
        plain = [text for text, ok in zip(texts, agreed, strict=True) if ok]
        split = [self._as_words(text) for text, ok in zip(texts, agreed, strict=True) if not ok]
        fast = iter(self._texts.encode_batch_fast(plain, add_special_tokens=False))
        exact = iter(self._words.encode_batch_fast(split, add_special_tokens=False))
        return [next(fast if ok else exact).ids for ok in agreed]

    def _as_words(self, text: str) -> str:
        words: list[str] = []
        for index, part in enumerate(self._special.split(text)):
            is_special = index % 2
            words.extend([part] if is_special else basic_words(part, lower_case=self._lower_case))
        return " ".join(words)


def _word_piece(vocabulary: Vocabulary, specials: Sequence[str]) -> Tokenizer:
    tokenizer = Tokenizer(WordPiece(dict(vocabulary.ids), unk_token=UNKNOWN))
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in specials])
    return tokenizer


def _longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """Lengths after taking tokens from the longer text, or the second of equals, until both fit."""
    if first + second <= room:
        return first, second
    half = room // 2
    if first <= half:
        return first, room - first
    if second <= half:
        return room - second, second
    return room - half, half


def _rows(rows: list[list[int]], second_lengths: list[int], truncated: list[bool]) -> TokenizedRows:
    lengths = np.fromiter(map(len, rows), np.int32, len(rows))
    input_ids = np.fromiter(itertools.chain.from_iterable(rows), np.int32, int(lengths.sum()))
    token_type_ids = np.zeros_like(input_ids)
    if any(second_lengths):
        ends = np.cumsum(lengths)
        for end, second in zip(ends, second_lengths, strict=True):
            token_type_ids[end - second : end] = 1
    return TokenizedRows(
        input_ids=input_ids,
        token_type_ids=token_type_ids,
        lengths=lengths,
        truncated=np.array(truncated, dtype=np.bool_),
    )


def _rectangle(
    values: npt.NDArray[np.int32], lengths: npt.NDArray[np.int32], filler: int
) -> npt.NDArray[np.int32]:
    if len(lengths) == 1:
        return values[None]
    real = np.arange(lengths.max()) < lengths[:, None]
    rectangle = np.full(real.shape, filler, np.int32)
    rectangle[real] = values
    return rectangle


def _tokens(row: Encoding, origins: Sequence[Origin] | None) -> TextTokens:
    """One text's tokens; with `origins`, of each character that was tokenised."""
    spans = np.empty((len(row.ids), 3), np.int32)
    previous = None
    for place, ((first, end), word) in enumerate(zip(row.offsets, row.word_ids, strict=True)):
        starts_word = word is None or word != previous
        if origins is not None:
            first, end = origins[first][0], origins[end - 1][1]
        spans[place] = (first, end, starts_word)
        previous = word
    return TextTokens(ids=np.array(row.ids, np.int32), spans=spans)
