"""A cache of words' tokens as bytes: common words are tokenised once."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Final

MOST_WORDS: Final = 16_384
LONGEST_WORD: Final = 32
"""Characters of a word that is kept. A full cache takes 2 to 3 MB, at the very worst 12."""


class WordCache:
    """A bounded dictionary in front of a function from words to bytes."""

    def __init__(self, make: Callable[[Sequence[str]], Sequence[bytes]]) -> None:
        """Start empty; `make` returns the bytes of each of several words."""
        self._make = make
        self._known: dict[str, bytes] = {}

    def __len__(self) -> int:
        """Words that are kept."""
        return len(self._known)

    def joined(self, words: Sequence[str]) -> bytes:
        """The bytes of all the words, one after the other."""
        known = self._known
        with contextlib.suppress(KeyError):
            return b"".join(map(known.__getitem__, words))
        new = [word for word in dict.fromkeys(words) if word not in known]
        made = dict(zip(new, self._make(new), strict=True))
        found = b"".join([made[word] if word in made else known[word] for word in words])
        self._keep(made)
        return found

    def _keep(self, made: dict[str, bytes]) -> None:
        kept = {word: value for word, value in made.items() if len(word) <= LONGEST_WORD}
        # Starting over costs little beside texts that never repeat a word.
        if len(self._known) + len(kept) > MOST_WORDS:
            self._known.clear()
        if len(kept) <= MOST_WORDS:
            self._known.update(kept)
