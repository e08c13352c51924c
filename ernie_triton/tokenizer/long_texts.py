"""Limits on the work of one text: padding is shortened, and what costs minutes is refused.

Text that makes no tokens, such as a million spaces or a word of a million letters, is not worth a
million steps of the tokenizer. Shortening it changes no token.
"""

import re
import unicodedata

from ernie_triton.errors import TextError

LONGEST_PIECED_WORD = 100
"""Characters of a word, and so its most tokens: WordPiece makes one unknown token of a longer."""

SHORT_TEXT_CHARACTERS_PER_TOKEN = 8
"""Texts of up to this many characters per token allowed are tokenised whole."""

MOST_READ_CHARACTERS_PER_TOKEN, MOST_READ_CHARACTERS = 32, 8192
"""Of a longer text, so many characters are tokenised at most, for each token allowed or in all."""

MOST_MARKS = 256
"""Combining marks on one character; no writing has more than a few. Unicode's normal forms take a
time that grows with the square of their number: minutes for 260,000."""

# Whitespace that ends a word, and controls, which are dropped.
_SPACE = r"[^\S\v\f\x1c-\x1f\x85]"
_GAP = r"[\s\x00-\x1f\x7f-\x9f\u200b\ufeff]"
_RUN = re.compile(
    rf"{_GAP}{{2,}}|(?<![0-9A-Za-z])[0-9A-Za-z]{{{LONGEST_PIECED_WORD + 1},}}",
)
_FIRST_SPACE = re.compile(_SPACE)
_TAIL = LONGEST_PIECED_WORD + 1
# Characters that are no marks and decompose into marks.
_OF_MARKS = "\u0f73\u0f75\u0f81"


def most_read(max_length: int) -> int:
    """The characters of a long text that are tokenised at most, for rows of so many tokens."""
    return max(max_length * MOST_READ_CHARACTERS_PER_TOKEN, MOST_READ_CHARACTERS)


def without_runs(text: str, most: int) -> tuple[str, bool]:
    """The beginning of a text without long runs that make no tokens of their own.

    Args:
        text: of any length.
        most: characters to return at most.

    Returns:
        A text with the same tokens, and True; or its first `most` characters, and False. Those
        have the same tokens but for the last word, which may be cut.
    """
    kept = ""
    for start in range(0, len(text), most):
        # A run may go on from one stretch to the next; shortening a part of it is right as well.
        settled, tail = kept[:-_TAIL], kept[-_TAIL:]
        kept = settled + _RUN.sub(_kept_of_run, tail + text[start : start + most])
        if len(kept) > most:
            return kept[:most], False
    return kept, True


def refuse_piled_marks(text: str) -> None:
    """Refuse a text with a run of combining marks that would take too long.

    Raises:
        TextError: there are more than `MOST_MARKS` on one character.
    """
    if len(text) <= MOST_MARKS:
        return
    marks = 0
    for place, character in enumerate(text):
        if unicodedata.combining(character) or character in _OF_MARKS:
            marks += 1
            if marks > MOST_MARKS:
                raise TextError(
                    f"the text has more than {MOST_MARKS} combining marks on one character, up to "
                    f"character {place:,}; remove them"
                )
        elif not unicodedata.category(character).startswith("C"):  # those are dropped
            marks = 0


def _kept_of_run(run: re.Match[str]) -> str:
    found = run[0]
    if found[0].isalnum():
        return found[: LONGEST_PIECED_WORD + 1]
    # One of the controls stays where there is no space: "[MA\x01SK]" is no special token.
    space = _FIRST_SPACE.search(found)
    return space[0] if space else found[0]
