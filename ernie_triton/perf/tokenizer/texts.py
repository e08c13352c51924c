"""Make the vocabulary and the texts that tokenizers are measured with."""

import random
import string
from collections.abc import Callable
from dataclasses import dataclass

from ernie_triton.tokenizer.vocabulary import CLASSIFY, MASK, PAD, SEPARATE, UNKNOWN, Vocabulary

_VOCABULARY_SIZE = 40_000
"""Entries of the generated vocabulary, about as many as ERNIE 3.0's."""

_IDEOGRAPHS = range(0x4E00, 0x9FA6)
_MARKS = "，。！？、：；“”《》（）…—·"
_COMMON = 3_500
"""Ideographs in titles, about as many as are in general use."""
_LATIN_WORDS = 4_000
"""Different Latin words and numbers in texts, few of them frequent."""
_PLAIN_MARKS_SHARE = 0.06
_LONG_CHARACTERS = 500


def generated_vocabulary(size: int = _VOCABULARY_SIZE) -> Vocabulary:
    """Make a vocabulary of special tokens, ASCII, common ideographs, Latin words and pieces."""
    chance = random.Random(0)
    tokens = dict.fromkeys(
        [
            *(PAD, CLASSIFY, SEPARATE, MASK, UNKNOWN),
            *map(chr, range(0x21, 0x7F)),
            *(f"##{character}" for character in string.ascii_lowercase + string.digits),
            *_MARKS,
            *map(chr, _IDEOGRAPHS),
        ]
    )
    while len(tokens) < size:
        word = _letters(chance, 2, 8)
        tokens[word if chance.random() < 0.6 else f"##{word}"] = None
    return Vocabulary(ids={token: place for place, token in enumerate(tokens)}, size=len(tokens))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A kind of texts to tokenize.

    Attributes:
        name: the name in tables and ratios.
        description: content of the texts.
        make: makes a text from random numbers and the frequent Latin words.
    """

    name: str
    description: str
    make: Callable[[random.Random, list[str]], str]


def frequent_words() -> list[str]:
    """Make Latin words and numbers, the most frequent first."""
    chance = random.Random(1)
    return [_new_word(chance) for _ in range(_LATIN_WORDS)]


def _plain(chance: random.Random, words: list[str]) -> str:  # noqa: ARG001
    return _chinese(chance, _title_length(chance))


def _mixed(chance: random.Random, words: list[str]) -> str:
    # A product of two uniform numbers makes the first words of the list the frequent ones.
    return _mixture(chance, lambda: words[int(len(words) * chance.random() * chance.random())], 30)


def _new_words(chance: random.Random, words: list[str]) -> str:  # noqa: ARG001
    return _mixture(chance, lambda: _new_word(chance), 30)


def _long(chance: random.Random, words: list[str]) -> str:
    return _mixture(chance, lambda: words[int(len(words) * chance.random() ** 2)], _LONG_CHARACTERS)


WORKLOADS = (
    Workload(
        name="plain",
        description="Chinese titles of ideographs and Chinese punctuation, 24 characters on "
        "average",
        make=_plain,
    ),
    Workload(
        name="mixed",
        description="30 characters, a third of them Latin words, numbers and punctuation; "
        "frequent words repeat",
        make=_mixed,
    ),
    Workload(
        name="new words",
        description="the same with Latin words and numbers that are new in every text",
        make=_new_words,
    ),
    Workload(
        name="long",
        description=f"{_LONG_CHARACTERS} characters of the mixed kind, cut to the row's length",
        make=_long,
    ),
)


def _title_length(chance: random.Random) -> int:
    while not 8 <= (length := round(chance.gauss(24, 7))) <= 60:
        pass
    return length


def _chinese(chance: random.Random, length: int) -> str:
    return "".join(
        chance.choice(_MARKS)
        if chance.random() < _PLAIN_MARKS_SHARE
        else chr(_IDEOGRAPHS[chance.randrange(_COMMON)])
        for _ in range(length)
    )


def _mixture(chance: random.Random, next_word: Callable[[], str], length: int) -> str:
    parts: list[str] = []
    characters = 0
    while characters < length:
        parts.append(_chinese(chance, chance.randint(3, 9)))
        parts.append(next_word())
        parts.append(chance.choice(("", "", "", " ", "%", "-", "，", "！")))
        characters += sum(map(len, parts[-3:]))
    return "".join(parts)[:length]


def _new_word(chance: random.Random) -> str:
    if chance.random() < 0.4:
        return str(chance.randint(0, 99_999))
    word = _letters(chance, 2, 7)
    return word.title() if chance.random() < 0.5 else word


def _letters(chance: random.Random, shortest: int, longest: int) -> str:
    return "".join(chance.choices(string.ascii_lowercase, k=chance.randint(shortest, longest)))
