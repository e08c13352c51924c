"""Choose the tokens that a character vocabulary needs to read longer pieces."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.piece_table import CONTINUES
from ernie_triton.tokenizer.vocabulary import Vocabulary
from ernie_triton.tokenizer.words import basic_words
from ernie_triton.training.compression.subwords.merges import merged_pieces

UNCUT = 1 << 30
_LEAST_USES = 2
_IDEOGRAPHS = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002ceaf]{2,}")
_EMOJI = range(0x1F300, 0x1F650)


def new_tokens(
    old: Vocabulary, texts: Sequence[str], pieces: int, *, lower_case: bool
) -> tuple[str, ...]:
    """Return the tokens to add: characters in either position, then pieces that the texts use."""
    words: Counter[str] = Counter()
    for text in texts:
        words.update(basic_words(text, lower_case=lower_case, tokenize_chinese_chars=False))
    known = [token for token in old.ids if _is_word(token, lower_case=lower_case)]
    characters = dict.fromkeys(c for token in known for c in token.removeprefix(CONTINUES))
    characters |= dict.fromkeys(common_characters(lower_case=lower_case))
    for word in words:
        if len(word) > 1:
            characters |= dict.fromkeys(word)
    needed = [form for c in characters for form in (c, CONTINUES + c) if form not in old.ids]
    runs: Counter[str] = Counter()
    for word, times in words.items():
        for run in _IDEOGRAPHS.findall(word):
            runs[run] += times
    whole = [token for token in known if len(token) > 1 and not token.startswith(CONTINUES)]
    candidates = dict.fromkeys([*merged_pieces(runs, pieces), *whole])
    forms = [f for piece in candidates for f in (piece, CONTINUES + piece) if f not in old.ids]
    provisional = extended_vocabulary(old, (*needed, *forms))
    used = _uses(provisional, texts, lower_case=lower_case)
    return (*needed, *(form for form in forms if used[provisional.ids[form]] >= _LEAST_USES))


def common_characters(*, lower_case: bool) -> Iterator[str]:
    """Yield common characters that can be part of a word: those of GB 2312, and emoji."""
    codes = [bytes((row, cell)) for row in range(0xA1, 0xF8) for cell in range(0xA1, 0xFF)]
    known = (code.decode("gb2312", "ignore") for code in codes)
    for character in (*known, *map(chr, _EMOJI)):
        yield from _inside_words(character, lower_case=lower_case)


def encoder_of(
    vocabulary: Vocabulary, max_length: int, *, lower_case: bool, words: bool
) -> TextEncoder:
    """Make a tokenizer that reads runs of Chinese as words, or character by character."""
    return TextEncoder(
        vocabulary,
        max_length=max_length,
        lower_case=lower_case,
        tokenize_chinese_chars=not words,
    )


def extended_vocabulary(old: Vocabulary, new: Sequence[str]) -> Vocabulary:
    """Append new tokens to a vocabulary."""
    ids = {**old.ids, **{token: old.size + place for place, token in enumerate(new)}}
    return Vocabulary(ids=ids, size=old.size + len(new))


def _uses(
    vocabulary: Vocabulary, texts: Sequence[str], *, lower_case: bool
) -> npt.NDArray[np.int64]:
    """Count the uses of each token in the texts, int64 [vocabulary]."""
    encoder = encoder_of(vocabulary, UNCUT, lower_case=lower_case, words=True)
    return np.bincount(encoder.encode(texts).input_ids, minlength=vocabulary.size)


def _is_word(token: str, *, lower_case: bool) -> bool:
    """Tell if the token can be a word of a text or a part of one."""
    surface = token.removeprefix(CONTINUES)
    return list(_inside_words(surface, lower_case=lower_case)) == [surface]


def _inside_words(text: str, *, lower_case: bool) -> Iterator[str]:
    """Yield the text as it reads between two letters, if the three make one word."""
    if not text:
        return
    match basic_words(f"a{text}a", lower_case=lower_case, tokenize_chinese_chars=False):
        case [word] if len(word) == len(text) + 2:
            yield word[1:-1]
