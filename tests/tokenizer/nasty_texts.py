"""Random and nasty texts, by ordinary and unusual rules, compared with the original tokenizer.

The vocabulary has the shape of bert-base-chinese: 21,128 lines. All 200,000 texts:
`python -m tests.tokenizer.nasty_texts --texts 200000`.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AddedToken as OriginalAddedToken

from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.rules import ORDINARY, AddedToken, TokenRules
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from ernie_triton.tokenizer.words import basic_words
from tests.tokenizer.original_tokenizer import SPECIAL_TOKENS, OriginalTokenizer
from tests.tokenizer.random_texts import in_batches, random_texts

LINES = 21_128
_IDEOGRAPHS = 7_322
_UNCUT = 10_000_000
_PARTS = (
    *(
        "[E1]",
        "[E2]",
        "[e1]",
        "[E",
        "E1]",
        "[unused1]",
        "[unused",
        "covid",
        "Covid",
        "COVID",
        "cov",
    ),
    *("新词", "新", "词", "café", "CAFÉ", "e\u0301", "İ", "ΟΔΟΣ", "Σ", " ", "  ", "\t", "\u3000"),
    *("，", ".", "[MA", "SK]", "\x00", "\u00ad", "\u200b", "\ufffd", "<S>", "<s>", "北京", "的"),
    *("iPhone12", "a" * 101, "[MASK]", "[SEP]", "[UNK]", "[unk]", "\u2028", "##", "Ａ", "é", "ß"),
)


def vocabulary_lines() -> list[str]:
    """Lines in the order and the numbers of bert-base-chinese, made by code."""
    chance = random.Random(0)
    ideographs = [chr(code) for code in range(0x4E00, 0x4E00 + 3 * _IDEOGRAPHS, 3)][:_IDEOGRAPHS]
    head = ["[PAD]", *(f"[unused{n}]" for n in range(1, 100)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    signs = [
        chr(code) for code in (*range(0x21, 0x7F), *range(0xA1, 0x180), *range(0x3041, 0x30FF))
    ]
    words = ["covid", "cov", "##id", "café", "cafe", "##新", "新", "词", "的", "北", "京", "iphone"]
    lines = dict.fromkeys([*head, "<S>", "<T>", *signs, *ideographs, *words])
    lines |= dict.fromkeys(f"##{character}" for character in (*signs, *ideographs))
    while len(lines) < LINES:
        letters = "abcdefghijklmnopqrstuvwxyzABC0123456789é"
        piece = "".join(chance.choices(letters, k=chance.randint(2, 6)))
        lines[chance.choice((piece, f"##{piece}"))] = None
    return list(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A way to tokenise: our rules, and the original tokenizer's settings for them."""

    name: str
    lower_case: bool = True
    rules: TokenRules = ORDINARY
    keep_case: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def kinds() -> list[Kind]:
    """Ordinary and unusual rules, cased and uncased."""
    lines = vocabulary_lines()
    specials = {"[E1]": LINES, "[E2]": LINES + 1, "[unused1]": lines.index("[unused1]")}
    words = {"covid": lines.index("covid"), "新词": LINES, "[E1]": LINES + 1}
    made = []
    for lower_case in (True, False):
        case = "uncased" if lower_case else "cased"
        made += [
            Kind(name=f"{case}, ordinary", lower_case=lower_case),
            _with_tokens(f"{case}, special tokens", lower_case, specials, ()),
            _with_tokens(f"{case}, added words", lower_case, words, ("covid", "新词")),
            Kind(
                name=f"{case}, never_split",
                lower_case=lower_case,
                rules=TokenRules(never_split=("[unused1]", "covid", "café")),
                settings={"never_split": ["[unused1]", "covid", "café"]},
            ),
            Kind(
                name=f"{case}, accents the other way",
                lower_case=lower_case,
                rules=TokenRules(strip_accents=not lower_case),
                settings={"strip_accents": not lower_case},
            ),
        ]
    return [
        *made,
        Kind(
            name="without basic tokenization",
            rules=TokenRules(basic_tokenize=False),
            lower_case=False,
            settings={"do_basic_tokenize": False},
        ),
    ]


def _with_tokens(
    name: str, lower_case: bool, tokens: Mapping[str, int], words: Sequence[str]
) -> Kind:
    added = [
        AddedToken(content=content, id=number, keeps_case=content not in words)
        for content, number in tokens.items()
    ]
    described = {
        one.id: OriginalAddedToken(
            one.content, special=one.keeps_case, normalized=not one.keeps_case
        )
        for one in added
    }
    kept = tuple(one.content for one in added if one.keeps_case)
    return Kind(
        name=name,
        lower_case=lower_case,
        rules=TokenRules(added=tuple(added)),
        keep_case=kept,
        settings={"added_tokens_decoder": described, "extra_special_tokens": list(kept)},
    )


@dataclass(slots=True, kw_only=True)
class Found:
    """The outcome of one kind: texts compared, texts explained, texts that differ."""

    texts: int = 0
    explained: int = 0
    different: list[str] = field(default_factory=list)


class OriginalComparison:
    """Compares our tokenizer of one kind with the original one."""

    def __init__(self, vocab: Path, kind: Kind) -> None:
        """Load both."""
        self.kind = kind
        self._encoder = TextEncoder(
            load_vocabulary(vocab, kind.rules), max_length=_UNCUT, lower_case=kind.lower_case
        )
        self._original = OriginalTokenizer(
            vocab, lower_case=kind.lower_case, keep_case=kind.keep_case, **kind.settings
        )
        self.found = Found()

    def compare(self, texts: Sequence[str]) -> None:
        """Compare the ids of each text of a batch, and the ids that come with spans."""
        made = self._encoder.encode(texts)
        rows = np.split(made.input_ids, np.cumsum(made.lengths)[:-1])
        placed = self._encoder.tokens_with_spans(texts)
        for text, row, tokens in zip(texts, rows, placed, strict=True):
            self.found.texts += 1
            ids = row.tolist()[1:-1]
            wanted = self._original.token_ids(text)
            if ids == wanted and tokens.ids.tolist() == ids:
                continue
            if is_explained(text):
                self.found.explained += 1
            else:
                self.found.different.append(text)


def is_explained(text: str) -> bool:
    """True for a special token with a dropped character inside.

    The original tokenizer makes a special token of it again where case is kept; PaddleNLP and the
    `tokenizers` library read it as text, and so do we.
    """
    kept = "".join(
        c for c in text if c in "\t\n\r " or basic_words(f"a{c}a", lower_case=False) != ["aa"]
    )
    return any(kept.count(token) > text.count(token) for token in (*SPECIAL_TOKENS, "[E1]", "[E2]"))


def nasty_texts(seed: int, vocab: Path) -> Iterator[str]:
    """Texts of every kind without end: half are random, half of the parts that rules are about."""
    chance = random.Random(seed)
    others = random_texts(seed, load_vocabulary(vocab))
    while True:
        yield next(others)
        yield "".join(chance.choice(_PARTS) for _ in range(chance.randint(1, 9)))


def compared(folder: Path, texts: int, seed: int) -> list[OriginalComparison]:
    """Compare this many texts, each by one kind in turn."""
    vocab = folder / "vocab.txt"
    vocab.write_text("".join(f"{line}\n" for line in vocabulary_lines()), encoding="utf-8")
    comparisons = [OriginalComparison(vocab, kind) for kind in kinds()]
    turns = itertools.cycle(comparisons)
    done = 0
    for batch in in_batches(nasty_texts(seed, vocab), texts):
        next(turns).compare(batch)
        done += len(batch)
        if done % 20_000 < len(batch):
            print(f"{done:,} texts", file=sys.stderr)
    return comparisons


def main(argv: Sequence[str] | None = None) -> int:
    """Compare as many texts as told; 0 when none differs without a reason."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--texts", type=int, default=20_000, help="(default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default %(default)s)")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        comparisons = compared(Path(folder), arguments.texts, arguments.seed)
    for one in comparisons:
        found = one.found
        print(
            f"{one.kind.name}: {found.texts:,} texts, {len(found.different)} differ, "
            f"{found.explained} with a special token broken by a dropped character"
        )
        for text in found.different[:5]:
            print(f"  {text!r}")
    return int(any(one.found.different for one in comparisons))


if __name__ == "__main__":
    raise SystemExit(main())
