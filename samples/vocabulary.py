"""Make a BERT-style vocab.txt: specials, ASCII, full-width forms, Chinese characters, WordPieces.

The order is fixed: the five specials ([PAD] is id 0), single characters, the 3,755 characters of
GB2312's first level, further characters of the data, `##` continuations, then Latin words and
pieces of numbers by how often the data have them. Entries are lower-case, as the tokenizer lowers.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from samples.errors import DataError

_SPECIALS = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]")
LETTERS_AND_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
FULL_WIDTH = "".join(chr(ord(char) + 0xFEE0) for char in LETTERS_AND_DIGITS)
_PUNCTUATION = (
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~，。、；：？！…—·“”‘’（）《》【】「」￥％～＋－／＝℃°×÷→"
)
DEFAULT_ENTRIES = 4480
WORD_SHARE = 0.75

_WORD = re.compile(r"[a-z]{2,}")
_NUMBER = re.compile(r"[0-9]{2,4}")
_HAN = re.compile(r"[\u3400-\u9fff]")


def build_vocabulary(texts: Iterable[str], max_entries: int = DEFAULT_ENTRIES) -> list[str]:
    """Build the entries of a vocabulary, in the order of their ids.

    Args:
        texts: whatever the vocabulary must be able to write.
        max_entries: the size that it must not exceed.

    Returns:
        Different entries, at most `max_entries`; the rarest pieces are left out.

    Raises:
        DataError: the characters alone exceed `max_entries`.
    """
    lowered = [unicodedata.normalize("NFC", text.lower()) for text in texts]
    han = sorted({char for text in lowered for char in _HAN.findall(text)})
    singles = LETTERS_AND_DIGITS + FULL_WIDTH
    entries = dict.fromkeys([*_SPECIALS, *_PUNCTUATION, *singles, *gb2312_level_1(), *han])
    entries.update(dict.fromkeys(f"##{char}" for char in singles))
    room = max_entries - len(entries)
    if room < 0:
        raise DataError(f"{len(entries)} characters do not fit {max_entries} entries; allow more")
    words = _most_common(_WORD, lowered, 1)[: int(room * WORD_SHARE)]
    numbers = _most_common(_NUMBER, lowered, 2)
    tails = [f"##{first}{second}" for first in "0123456789" for second in "05"]
    for piece in [*words, *tails, *numbers]:
        if len(entries) < max_entries:
            entries[piece] = None
    return list(entries)


def gb2312_level_1() -> list[str]:
    """Return the 3,755 most common simplified characters, in GB2312's order (by pinyin)."""
    cells = (bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    characters = (cell.decode("gb2312", errors="ignore") for cell in cells)
    return [character for character in characters if character]


def write_vocabulary(entries: Iterable[str], path: Path) -> Path:
    """Write one entry a line, UTF-8; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{entry}\n" for entry in entries), encoding="utf-8", newline="\n")
    return path


def _most_common(pattern: re.Pattern[str], texts: Iterable[str], least: int) -> list[str]:
    counts = Counter(match for text in texts for match in pattern.findall(text))
    kept = (piece for piece in counts if counts[piece] >= least)
    return sorted(kept, key=lambda piece: (-counts[piece], piece))
