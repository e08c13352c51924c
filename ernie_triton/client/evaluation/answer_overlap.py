"""Exact match and F1 of two answers, as CMRC2018's official script defines them.

github.com/ymcui/cmrc2018, cmrc2018_evaluate.py: lower case, without its list of punctuation; F1
rests on the longest common run of segments, of which each Chinese character is one. The script
parts what stands between Chinese characters with NLTK; here a regular expression does: words and
numbers stay whole, and every other character is a segment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_PUNCTUATION = str.maketrans("", "", "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_SEGMENT = re.compile(r"[\u4e00-\u9fa5]|[^\W\u4e00-\u9fa5]+(?:[.,][^\W\u4e00-\u9fa5]+)*|\S")


def exact_match(gold: str, answer: str) -> float:
    """1 where the answers are equal apart from case and punctuation, else 0."""
    return float(_stripped(gold) == _stripped(answer))


def overlap_f1(gold: str, answer: str) -> float:
    """F1 of the longest common run of segments; 0 where they share none."""
    golds = _SEGMENT.findall(_stripped(gold))
    answers = _SEGMENT.findall(_stripped(answer))
    common = _longest_common_run(golds, answers)
    return 2 * common / (len(golds) + len(answers)) if common else 0.0


def _stripped(text: str) -> str:
    return text.lower().strip().translate(_PUNCTUATION)


def _longest_common_run(one: Sequence[str], two: Sequence[str]) -> int:
    """The length of the longest run of segments that stands in both."""
    longest = 0
    # For each segment of `two`, the length of the common run that ends there and at the last of
    # `one` seen.
    runs = [0] * (len(two) + 1)
    for segment in one:
        ended = [runs[at] + 1 if segment == other else 0 for at, other in enumerate(two)]
        runs = [0, *ended]
        longest = max(longest, *runs)
    return longest
