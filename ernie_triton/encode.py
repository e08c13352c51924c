"""Texts to token ids: first of the three stages.

Equal, id for id, to transformers' original (slow) `BertTokenizer` and PaddleNLP's `ErnieTokenizer`.
The `tokenizers` library does the work. Its normaliser differs from theirs on characters whose
Unicode properties its tables do not know (unassigned code points, recent punctuation, CJK
extension E); texts with such characters are split into words by `basic_words` and only then handed
to its WordPiece.
"""

import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, WhitespaceSplit

from ernie_triton.vocabulary import CLASSIFY, PAD, SEPARATE, UNKNOWN, Vocabulary

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

# The blocks that BERT's tokenizer takes for Chinese characters, each a word of its own.
_IDEOGRAPHS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
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
        self._classify = vocabulary.ids[CLASSIFY]
        self._separate = vocabulary.ids[SEPARATE]
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

    def _single_rows(self, texts: list[list[int]]) -> TokenizedRows:
        room = self._max_length - 2
        rows = [[self._classify, *ids[:room], self._separate] for ids in texts]
        return _rows(rows, [0] * len(rows), [len(ids) > room for ids in texts])

    def _pair_rows(self, firsts: list[list[int]], seconds: list[list[int]]) -> TokenizedRows:
        room = self._max_length - 3
        rows, second_lengths, truncated = [], [], []
        for first, second in zip(firsts, seconds, strict=True):
            a, b = _longest_first(len(first), len(second), room)
            head = [self._classify, *first[:a], self._separate]
            rows.append([*head, *second[:b], self._separate])
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


def basic_words(text: str, *, lower_case: bool) -> list[str]:
    """The words of a text before WordPiece, by Python's own Unicode tables.

    Follows BERT's basic tokenizer (github.com/google-research/bert, `tokenization.py`) with the NFC
    step that transformers added: control characters go, ideographs and punctuation stand alone,
    case and accents fold.
    """
    if lower_case:
        # Character by character: transformers folds before it looks at words (no final sigma).
        text = "".join(character.lower() for character in text)
    cleaned = (" " if _is_space(c) else c for c in text if not _is_dropped(c))
    spaced = "".join(f" {c} " if _is_ideograph(c) else c for c in cleaned)
    words: list[str] = []
    for word in unicodedata.normalize("NFC", spaced).split():
        if lower_case:
            decomposed = unicodedata.normalize("NFD", word.lower())
            word = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
        words.extend(_split_punctuation(word))
    return words


def _split_punctuation(word: str) -> list[str]:
    parts = "".join(f" {c} " if _is_punctuation(c) else c for c in word)
    return parts.split()


def _is_dropped(character: str) -> bool:
    if character in "\t\n\r":
        return False
    return character in "\0\ufffd" or unicodedata.category(character).startswith("C")


def _is_space(character: str) -> bool:
    return character in " \t\n\r" or unicodedata.category(character) == "Zs"


def _is_ideograph(character: str) -> bool:
    code = ord(character)
    if code < _IDEOGRAPHS[0][0]:
        return False
    return any(first <= code <= last for first, last in _IDEOGRAPHS)


def _is_punctuation(character: str) -> bool:
    code = ord(character)
    ascii_symbol = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_symbol or unicodedata.category(character).startswith("P")


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
