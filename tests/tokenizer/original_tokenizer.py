"""The tokenizer that ours must equal: transformers' original one, from its own package."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers.models.bert import tokenization_bert_legacy

LEGACY: Any = tokenization_bert_legacy
"""transformers' module of the original tokenizer, which has no types."""


class _WithoutComposition:
    """Python's `unicodedata` for a tokenizer that composes nothing (NFC)."""

    category = staticmethod(unicodedata.category)

    @staticmethod
    def normalize(form: Any, text: str) -> str:
        return text if form == "NFC" else unicodedata.normalize(form, text)


# The fast tokenizers, PaddleNLP and transformers before 4.26 do not compose.
LEGACY.unicodedata = _WithoutComposition

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_SURROGATES = range(0xD800, 0xE000)


def _fast_cut(first: int, second: int, room: int) -> tuple[int, int]:
    """Tokens kept of each text, as `truncate_encodings` of the `tokenizers` library has it."""
    if first + second <= room:
        return first, second
    shorter = min(first, second)
    longer = max(shorter, room - shorter)
    if shorter + longer > room:
        shorter = room // 2
        longer = shorter + room % 2
    return (longer, shorter) if first > second else (shorter, longer)


class OriginalTokenizer:
    """transformers' slow tokenizer with the folding that its version 5 left out.

    transformers up to 4.57 and PaddleNLP fold case character by character, outside special tokens,
    before they look at words; version 5.23 folds whole words, which differs for the Greek final
    sigma alone.
    """

    def __init__(
        self,
        vocab: Path,
        *,
        lower_case: bool,
        tokenize_chinese_chars: bool = True,
        keep_case: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        """Load it; `keep_case` are further tokens whose case is kept."""
        self._lower_case = lower_case
        # transformers tries them in this order, not the longest first.
        kept = "|".join(map(re.escape, (*SPECIAL_TOKENS, *keep_case)))
        self._keeps_case = re.compile(f"({kept})")
        self.as_in_version_5 = LEGACY.BertTokenizerLegacy(
            str(vocab),
            do_lower_case=lower_case,
            tokenize_chinese_chars=tokenize_chinese_chars,
            **settings,
        )

    def token_ids(self, text: str) -> list[int]:
        """Ids of the whole text, without special tokens around it."""
        tokenizer = self.as_in_version_5
        ids: list[int] = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(self._folded(text)))
        return ids

    def row(self, text: str, pair: str | None, max_length: int) -> tuple[list[int], list[int]]:
        """Ids and token type ids of a row, cut `longest_first` as the fast tokenizers cut."""
        if pair is not None:
            first, second = self.token_ids(text), self.token_ids(pair)
            kept = _fast_cut(len(first), len(second), max_length - 3)
            row = self.as_in_version_5.prepare_for_model(
                first[: kept[0]], second[: kept[1]], return_token_type_ids=True
            )
            return row["input_ids"], row["token_type_ids"]
        row = self.as_in_version_5(
            self._folded(text),
            max_length=max_length,
            truncation="longest_first",
            return_token_type_ids=True,
        )
        return row.input_ids, row.token_type_ids

    def _folded(self, text: str) -> str:
        if not self._lower_case:
            return text
        parts = self._keeps_case.split(text)
        parts[::2] = ["".join(map(str.lower, part)) for part in parts[::2]]
        return "".join(parts)


def write_word_vocabulary(path: Path, *, of: Path) -> None:
    """Write a vocabulary of another's tokens, most of their `##` forms, and longer pieces.

    Some characters have no form inside words, so that words with them are unknown; some pieces
    lead into an end from which no piece goes on.
    """
    chance = random.Random(0)
    tokens = dict.fromkeys(of.read_text(encoding="utf-8").splitlines())
    characters = [token for token in tokens if len(token) == 1 and token.isalnum()]
    common = [character for character in characters if ord(character) > 0x2E80][:60]
    tokens |= dict.fromkeys(f"##{character}" for character in characters if chance.random() < 0.9)
    for _ in range(3000):
        piece = "".join(chance.choices(common, k=chance.choice((2, 2, 3, 4))))
        if chance.random() < 0.2:
            piece = chance.choice((piece[:2] + "30", "a" + piece, piece + "é"))
        tokens |= dict.fromkeys(chance.choice(((piece,), (f"##{piece}",), (piece, f"##{piece}"))))
    path.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")


def write_rich_vocabulary(path: Path) -> None:
    """Write a vocabulary with every assigned character, so that no mistake hides in [UNK]."""
    characters = [
        character
        for character in map(chr, range(0x21, 0x110000))
        if ord(character) not in _SURROGATES
        and unicodedata.category(character) not in {"Cn", "Co"}
        and character.split()
    ]
    continued = [
        f"##{character}"
        for character in characters
        if not 0x3400 <= ord(character) < 0xA000 and not 0xF900 <= ord(character) < 0xFB00
        if ord(character) < 0x20000
    ]
    words = ["iphone", "token", "##izer", "##30", "12", "istanbul", "İstanbul", "οδο", "한글"]
    tokens = [*SPECIAL_TOKENS, *characters, *words, *continued]
    path.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
