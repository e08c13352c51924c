"""The cache gives what its function gives, and stays small."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ernie_triton.tokenizer import word_cache
from ernie_triton.tokenizer.word_cache import LONGEST_WORD, MOST_WORDS, WordCache


class Maker:
    """Words to their UTF-8, with a note of what was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, words: Sequence[str]) -> list[bytes]:
        self.asked.append(sorted(words))
        return [f"<{word}>".encode() for word in words]


def test_words_are_made_once_and_joined_in_order() -> None:
    make = Maker()
    cache = WordCache(make)
    assert cache.joined(["b", "a", "b", "c"]) == b"<b><a><b><c>"
    assert cache.joined(["c", "d", "a"]) == b"<c><d><a>"
    assert make.asked == [["a", "b", "c"], ["d"]]


def test_no_words_are_nothing() -> None:
    assert WordCache(Maker()).joined([]) == b""


def test_a_word_of_no_bytes_is_remembered() -> None:
    make = Maker()
    cache = WordCache(lambda words: [b"" for _ in make(words)])
    assert cache.joined(["a", "a"]) == cache.joined(["a"]) == b""
    assert make.asked == [["a"]]


def test_long_words_are_made_every_time_and_not_kept() -> None:
    make = Maker()
    cache = WordCache(make)
    longest, longer = "a" * LONGEST_WORD, "a" * (LONGEST_WORD + 1)
    assert cache.joined([longest, longer, longer]) == f"<{longest}><{longer}><{longer}>".encode()
    cache.joined([longest, longer])
    assert make.asked == [[longest, longer], [longer]]
    assert len(cache) == 1


def test_a_full_cache_starts_over_and_answers_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_cache, "MOST_WORDS", 3)
    cache = WordCache(Maker())
    for word in "abcdefg":
        assert cache.joined([word, "x"]) == f"<{word}><x>".encode()
        assert len(cache) <= 3
    assert cache.joined(list("abcdefg")) == b"<a><b><c><d><e><f><g>"
    assert len(cache) <= 3


def test_more_words_at_once_than_are_kept_are_all_made() -> None:
    words = [str(number) for number in range(MOST_WORDS + 1)]
    cache = WordCache(Maker())
    assert cache.joined(words) == "".join(f"<{word}>" for word in words).encode()
    assert len(cache) <= MOST_WORDS
