"""Many random texts through the table, compared with each text by itself and with the original.

The whole million: `python -m tests.tokenizer.random_texts --texts 1000000`.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.fallback import FallbackTokenizer
from ernie_triton.tokenizer.vocabulary import Vocabulary, load_vocabulary
from tests.tokenizer.original_tokenizer import (
    SPECIAL_TOKENS,
    OriginalTokenizer,
    write_rich_vocabulary,
)
from tests.tokenizer.unicode_texts import MIXED, TROUBLESOME

BATCHES = (1, 2, 3, 8, 64)
CUT_LENGTHS = (2, 5, 12)
"""`max_length` of rows that are cut, compared in turn beside rows that hold everything."""

_UNCUT = 10_000_000
_ORIGINAL_EVERY = 40
"""One text in so many is compared with the original tokenizer too, which is slow."""
_SPANS_EVERY = 6
"""One batch in so many has its spans compared too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A text whose tokens are not those that they should be.

    Attributes:
        text: the text.
        against: what its tokens were compared with.
        expected: token ids.
        found: token ids.
    """

    text: str
    against: str
    expected: list[int]
    found: list[int]


class Comparison:
    """Compares the tokenizers of one vocabulary and case."""

    def __init__(
        self, vocab: Path, *, lower_case: bool, tokenize_chinese_chars: bool = True
    ) -> None:
        """Load the vocabulary for all of them."""
        vocabulary = load_vocabulary(vocab)
        of_words: dict[str, Any] = {
            "lower_case": lower_case,
            "tokenize_chinese_chars": tokenize_chinese_chars,
        }
        self._encoders = {
            length: TextEncoder(vocabulary, max_length=length, **of_words)
            for length in (*CUT_LENGTHS, _UNCUT)
        }
        self._whole = FallbackTokenizer(vocabulary, **of_words)
        self._original = OriginalTokenizer(vocab, **of_words)
        self._batches = self._texts = 0

    def differences(self, texts: Sequence[str]) -> Iterator[Difference]:
        """Compare one batch: ids, rows that are cut, and spans."""
        self._batches += 1
        expected = self._whole.token_ids(texts)
        yield from self._different_rows(texts, expected, _UNCUT)
        cut_length = CUT_LENGTHS[self._batches % len(CUT_LENGTHS)]
        yield from self._different_rows(texts, expected, cut_length)
        if self._batches % _SPANS_EVERY == 0:
            yield from self._different_spans(texts)
        for text, ids in zip(texts, expected, strict=True):
            self._texts += 1
            if self._texts % _ORIGINAL_EVERY == 0:
                wanted = self._original.token_ids(text)
                if ids != wanted:
                    yield Difference(text=text, against="original", expected=wanted, found=ids)

    def _different_rows(
        self, texts: Sequence[str], expected: Sequence[Sequence[int]], length: int
    ) -> Iterator[Difference]:
        encoder = self._encoders[length]
        made = encoder.encode(texts)
        rows = np.split(made.input_ids, np.cumsum(made.lengths)[:-1])
        for text, row, ids in zip(texts, rows, expected, strict=True):
            wanted = [encoder.classify_id, *ids[: length - 2], encoder.separate_id]
            if row.tolist() != wanted:
                against = f"the text alone, {length} tokens allowed"
                yield Difference(text=text, against=against, expected=wanted, found=row.tolist())

    def _different_spans(self, texts: Sequence[str]) -> Iterator[Difference]:
        expected = self._whole.tokens_with_spans(texts)
        made = self._encoders[_UNCUT].tokens_with_spans(texts)
        for text, alone, together in zip(texts, expected, made, strict=True):
            wanted = [*alone.ids.tolist(), *alone.spans.reshape(-1).tolist()]
            found = [*together.ids.tolist(), *together.spans.reshape(-1).tolist()]
            if wanted != found:
                yield Difference(text=text, against="spans", expected=wanted, found=found)


def random_texts(seed: int, vocabulary: Vocabulary) -> Iterator[str]:
    """Texts of many kinds without end: titles, mixtures, and whatever Unicode has."""
    chance = random.Random(seed)
    tokens = [token.removeprefix("##") for token in vocabulary.ids]
    while True:
        kind = chance.random()
        if kind < 0.2:
            yield "".join(_ideograph(chance) for _ in range(chance.randint(0, 40)))
        elif kind < 0.6:
            yield "".join(_title_part(chance) for _ in range(chance.randint(1, 12)))
        elif kind < 0.75:
            yield "".join(chance.choices(tokens, k=chance.randint(1, 8)))
        elif kind < 0.9:
            yield "".join(chance.choice(MIXED) for _ in range(chance.randint(1, 12)))
        elif kind < 0.96:
            yield "".join(_any_character(chance) for _ in range(chance.randint(1, 12)))
        else:
            yield "".join(_trouble(chance) for _ in range(chance.randint(1, 20)))


def in_batches(texts: Iterator[str], count: int) -> Iterator[list[str]]:
    """This many texts, in batches of all sizes in turn."""
    for size in itertools.cycle(BATCHES):
        batch = list(itertools.islice(texts, min(size, count)))
        if not batch:
            return
        count -= len(batch)
        yield batch


def main(argv: Sequence[str] | None = None) -> int:
    """Compare as many texts as told for either case; 0 when none differs."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--texts", type=int, default=20_000, help="(default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default %(default)s)")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        vocab = Path(folder) / "vocab.txt"
        write_rich_vocabulary(vocab)
        comparisons = [Comparison(vocab, lower_case=lower_case) for lower_case in (True, False)]
        texts = random_texts(arguments.seed, load_vocabulary(vocab))
        done = found = 0
        for batch in in_batches(texts, arguments.texts):
            for comparison in comparisons:
                for difference in comparison.differences(batch):
                    found += 1
                    print(difference)
            done += len(batch)
            if sys.stderr.isatty() or done % 10_000 < len(batch):
                print(f"{done:,} texts, {found} differences", file=sys.stderr)
    print(f"{done:,} texts, each uncased and cased: {found} differences")
    return int(found > 0)


def _ideograph(chance: random.Random) -> str:
    return chr(chance.randint(0x4E00, 0x9FFF))


def _title_part(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.5:
        return "".join(_ideograph(chance) for _ in range(chance.randint(1, 6)))
    if kind < 0.7:
        return chance.choice("，。！？、；：“”《》（）—…·%&.,!?-/# \u3000")
    if kind < 0.9:
        letters = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789"
        return "".join(chance.choices(letters, k=chance.randint(1, 8)))
    if kind < 0.97:
        return chance.choice(("Ａ", "１", "é", "ß", "①", "℃", "😀", "か", "カ", "ü", "Å", "→", "★"))
    return chance.choice((*SPECIAL_TOKENS, "a" * 99, "b" * 100, "c" * 101, "1" * 150, "[", "[SE"))


def _any_character(chance: random.Random) -> str:
    code = chance.randint(0, 0x10FFFF) if chance.random() < 0.3 else chance.randint(0, 0x33FF)
    return chr(code) if not 0xD800 <= code < 0xE000 else "\x02"


def _trouble(chance: random.Random) -> str:
    return chance.choice(TROUBLESOME if chance.random() < 0.5 else "aB1中，[] \x02\x03")


if __name__ == "__main__":
    raise SystemExit(main())
