"""Texts to words as BERT's basic tokenizer splits them, by Python's own Unicode tables.

Follows github.com/google-research/bert, `tokenization.py`: control characters go, ideographs and
punctuation stand alone, case and accents fold. Letters and marks stay apart, as in fast tokenizers
and PaddleNLP; transformers' slow tokenizer composes them (NFC) from 4.26 on. With
`tokenize_chinese_chars` off, ideographs are letters like others: a run of them is one word.
PaddleNLP's `BasicTokenizer` splits at symbols too, such as ￥, ℃ and emoji.
"""

import unicodedata
from collections.abc import Collection, Iterator, Sequence

IDEOGRAPHS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
"""First and last code point of the blocks whose characters are words of their own."""

_MORE_SYMBOLS = frozenset("\u00ad\u00b2\u00b5\u00ba\u00d8\u014b\u01b1\u3007")
"""Characters of other categories that PaddleNLP's `_is_symbol` lists."""

Origin = tuple[int, int]
"""The place in the text that a character came from: first character, and the one after the last."""


def basic_words(
    text: str,
    *,
    lower_case: bool,
    tokenize_chinese_chars: bool = True,
    strip_accents: bool | None = None,
    never_split: Collection[str] = (),
    splits_symbols: bool = False,
) -> list[str]:
    """The words of a text before WordPiece.

    Args:
        text: any text.
        lower_case: fold case.
        tokenize_chinese_chars: each ideograph is a word.
        strip_accents: remove accents; None as `lower_case`.
        never_split: words that stay as they are.
        splits_symbols: each symbol is a word.
    """
    strips = lower_case if strip_accents is None else strip_accents
    if lower_case:
        # Character by character: transformers folds before it looks at words (no final sigma).
        text = "".join(character.lower() for character in text)
    cleaned = (" " if _is_space(c) else c for c in text if not _is_dropped(c))
    spaced = "".join(f" {c} " if tokenize_chinese_chars and is_ideograph(c) else c for c in cleaned)
    words: list[str] = []
    for word in spaced.split():
        folded = word if word in never_split else _fold(word, lower_case, strips)
        is_whole = folded in never_split
        words.extend([folded] if is_whole else _split_punctuation(folded, splits_symbols))
    return words


def words_with_origins(
    text: str,
    *,
    lower_case: bool,
    tokenize_chinese_chars: bool = True,
    strip_accents: bool | None = None,
    never_split: Collection[str] = (),
    splits_symbols: bool = False,
) -> list[tuple[str, list[Origin]]]:
    """`basic_words`, and the origin in the text of each of their characters."""
    strips = lower_case if strip_accents is None else strip_accents
    placed: list[tuple[str, Origin]] = []
    for place, original in enumerate(text):
        for character in original.lower() if lower_case else original:
            if _is_dropped(character):
                continue
            stands_alone = tokenize_chinese_chars and is_ideograph(character)
            if _is_space(character) or stands_alone:
                placed.append((" ", (place, place + 1)))
            if not _is_space(character):
                placed.append((character, (place, place + 1)))
            if stands_alone:
                placed.append((" ", (place, place + 1)))
    words: list[tuple[str, list[Origin]]] = []
    for chunk in _chunks(placed):
        whole = "".join(character for character, _ in chunk) in never_split
        characters = _folded(
            chunk, lower_case=lower_case and not whole, strips=strips and not whole
        )
        if not whole:
            whole = "".join(character for character, _ in characters) in never_split
        words.extend(_words_of(characters, whole=whole, splits_symbols=splits_symbols))
    return words


def _words_of(
    characters: Sequence[tuple[str, Origin]], *, whole: bool, splits_symbols: bool
) -> Iterator[tuple[str, list[Origin]]]:
    """The words of a chunk, which punctuation ends unless it stays whole."""
    start = 0
    for end in range(1, len(characters) + 1):
        apart = end < len(characters) and (
            _stands_alone(characters[end][0], splits_symbols)
            or _stands_alone(characters[end - 1][0], splits_symbols)
        )
        if (apart and not whole) or end == len(characters):
            part = characters[start:end]
            yield "".join(c for c, _ in part), [origin for _, origin in part]
            start = end


def _chunks(placed: Sequence[tuple[str, Origin]]) -> Iterator[list[tuple[str, Origin]]]:
    """The stretches between whitespace."""
    chunk: list[tuple[str, Origin]] = []
    for character, origin in placed:
        if not character.isspace():
            chunk.append((character, origin))
        elif chunk:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _folded(
    chunk: Sequence[tuple[str, Origin]], *, lower_case: bool, strips: bool
) -> list[tuple[str, Origin]]:
    """A chunk with case and accents folded if asked, each character with its origin."""
    if not (lower_case or strips):
        return list(chunk)
    expected = _fold("".join(character for character, _ in chunk), lower_case, strips)
    characters: list[tuple[str, Origin]] = []
    for character, origin in chunk:
        folded = _fold(character, lower_case, strips)
        if not folded and characters:  # a mark belongs to the letter before it
            last, (first, _) = characters.pop()
            characters.append((last, (first, origin[1])))
        characters.extend((one, origin) for one in folded)
    if "".join(character for character, _ in characters) == expected:
        return characters
    # Marks that change places across characters: the chunk as a whole is their origin.
    whole = (chunk[0][1][0], chunk[-1][1][1])
    return [(character, whole) for character in expected]


def _fold(word: str, lower_case: bool, strips: bool) -> str:
    word = word.lower() if lower_case else word
    return without_accents(word) if strips else word


def without_accents(word: str) -> str:
    """Return a word without the marks of its letters."""
    decomposed = unicodedata.normalize("NFD", word)
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn")


def _split_punctuation(word: str, splits_symbols: bool) -> list[str]:
    parts = "".join(f" {c} " if _stands_alone(c, splits_symbols) else c for c in word)
    return parts.split()


def _is_dropped(character: str) -> bool:
    if character in "\t\n\r":
        return False
    return character in "\0\ufffd" or unicodedata.category(character).startswith("C")


def _is_space(character: str) -> bool:
    return character in " \t\n\r" or unicodedata.category(character) == "Zs"


def is_ideograph(character: str) -> bool:
    """Return True in the blocks that BERT's tokenizer takes for Chinese characters."""
    code = ord(character)
    if code < IDEOGRAPHS[0][0]:
        return False
    return any(first <= code <= last for first, last in IDEOGRAPHS)


def is_symbol(character: str) -> bool:
    """Return True for what PaddleNLP takes for symbols, beside ASCII's, which are punctuation."""
    if character.isascii():
        return False
    return unicodedata.category(character).startswith("S") or character in _MORE_SYMBOLS


def _stands_alone(character: str, splits_symbols: bool) -> bool:
    return _is_punctuation(character) or (splits_symbols and is_symbol(character))


def _is_punctuation(character: str) -> bool:
    code = ord(character)
    ascii_symbol = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_symbol or unicodedata.category(character).startswith("P")
