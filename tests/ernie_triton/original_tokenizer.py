"""The tokenizer that ours must equal: transformers' original one, from its own package."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

from transformers.models.bert import tokenization_bert_legacy

LEGACY: Any = tokenization_bert_legacy
"""transformers' module of the original tokenizer, which has no types."""

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_SURROGATES = range(0xD800, 0xE000)
_SPECIAL = re.compile("(" + "|".join(map(re.escape, SPECIAL_TOKENS)) + ")")


class OriginalTokenizer:
    """transformers' slow tokenizer with the folding that its version 5 left out.

    transformers up to 4.57 and PaddleNLP fold case character by character, outside special tokens,
    before they look at words; version 5.23 folds whole words, which differs for the Greek final
    sigma alone.
    """

    def __init__(self, vocab: Path, *, lower_case: bool) -> None:
        self._lower_case = lower_case
        self.as_in_version_5 = LEGACY.BertTokenizerLegacy(str(vocab), do_lower_case=lower_case)

    def token_ids(self, text: str) -> list[int]:
        """Ids of the whole text, without special tokens around it."""
        tokenizer = self.as_in_version_5
        ids: list[int] = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(self._folded(text)))
        return ids

    def row(self, text: str, pair: str | None, max_length: int) -> tuple[list[int], list[int]]:
        """Ids and token type ids of a row, cut `longest_first`."""
        row = self.as_in_version_5(
            self._folded(text),
            None if pair is None else self._folded(pair),
            max_length=max_length,
            truncation="longest_first",
            return_token_type_ids=True,
        )
        return row.input_ids, row.token_type_ids

    def _folded(self, text: str) -> str:
        if not self._lower_case:
            return text
        parts = _SPECIAL.split(text)
        parts[::2] = ["".join(map(str.lower, part)) for part in parts[::2]]
        return "".join(parts)


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
