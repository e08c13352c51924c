"""A vocabulary of the family's size for models without one: every character is its own token.

Real ones hold what texts of a corpus need; this one holds what any text needs, so that random
weights can be asked about any text: Chinese characters one by one as every such model has them,
and of Latin words and numbers the pieces of one and two characters.
"""

import itertools
import string

from ernie_triton.tokenizer.vocabulary import CLASSIFY, MASK, PAD, SEPARATE, UNKNOWN

SPECIALS = (PAD, CLASSIFY, SEPARATE, MASK, UNKNOWN)
PUNCTUATION = "，。、；：？！…—·“”‘’（）《》【】「」￥％～＋－／＝℃°×÷→"
IDEOGRAPHS = range(0x4E00, 0x9FA6)
"""The block of Unicode 1.1: the 20,902 characters that GBK knows, every common one among them."""
_ALPHABET = string.digits + string.ascii_lowercase


def plain_vocabulary(size: int) -> list[str]:
    """The entries in the order of their ids, all different, `[PAD]` first.

    Args:
        size: how many; those left when everything has its token are `[unused1]`, `[unused2]`, ….

    Raises:
        ValueError: the size does not hold every character.
    """
    pairs = ["".join(pair) for pair in itertools.product(_ALPHABET, repeat=2)]
    entries = [*SPECIALS, *string.punctuation, *PUNCTUATION, *_ALPHABET]
    entries += map(chr, IDEOGRAPHS)
    entries += pairs
    entries += [f"##{piece}" for piece in (*_ALPHABET, *pairs)]
    spare = size - len(entries)
    if spare < 0:
        raise ValueError(f"{len(entries)} entries do not fit a vocabulary of {size}")
    return entries + [f"[unused{number}]" for number in range(1, spare + 1)]
