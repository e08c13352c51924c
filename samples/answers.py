"""Exact match and F1 of answers, as CMRC 2018's official script defines them.

Both compare lower-case texts without punctuation; F1 rests on the longest common run of Chinese
characters and other words. The script splits what is not Chinese with NLTK, this does with a
regular expression: digits with their points and commas stay together. A question without an answer
is right, with both figures, if and only if none is given (SQuAD 2.0).
"""

import re
from collections.abc import Sequence

_PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_SEGMENT = re.compile(r"[\u4e00-\u9fa5]|[^\W\u4e00-\u9fa5]+(?:[.,][^\W\u4e00-\u9fa5]+)*|\S")


def exact_match(wanted: str, given: str) -> float:
    """1.0 where both texts are equal apart from case and punctuation, else 0.0."""
    if not (wanted and given):
        return float(wanted == given)
    return float(_without_punctuation(wanted) == _without_punctuation(given))


def overlap_f1(wanted: str, given: str) -> float:
    """F1 of the longest common run against both texts, between 0 and 1."""
    if not (wanted and given):
        return float(wanted == given)
    wanted_segments = _SEGMENT.findall(_without_punctuation(wanted))
    given_segments = _SEGMENT.findall(_without_punctuation(given))
    run = _longest_common_run(wanted_segments, given_segments)
    return 2 * run / max(1, len(wanted_segments) + len(given_segments))


def _without_punctuation(text: str) -> str:
    return "".join(char for char in text.lower().strip() if char not in _PUNCTUATION)


def _longest_common_run(first: Sequence[str], second: Sequence[str]) -> int:
    longest = 0
    lengths = [0] * (len(second) + 1)
    for segment in first:
        lengths = [0] + [
            lengths[i] + 1 if segment == other else 0 for i, other in enumerate(second)
        ]
        longest = max(longest, *lengths)
    return longest
