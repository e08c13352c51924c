"""Start and end scores of prompted rows to spans, as PaddleNLP's UIE pairs them.

A position counts where its sigmoid is above a threshold. Each start takes the nearest end that is
not before it; of several starts before one end, the nearest wins (`get_span` in PaddleNLP's
`paddlenlp/utils/tools.py`). A span inside the prompt is one of its options: a class, without
places.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Float32, Int32
from ernie_triton.decoders.labels import sigmoid


@dataclass(frozen=True, slots=True)
class FoundSpan:
    """Characters `start` to `end` (excluded) of the text; -1, -1 for an option of the prompt."""

    start: int
    end: int
    text: str
    probability: float

    @property
    def is_in_text(self) -> bool:
        """False for an option of the prompt."""
        return self.start >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptedRow:
    """One row of tokens: `[CLS]` prompt `[SEP]` window of a text `[SEP]`, with one `[SEP]` or two.

    Attributes:
        prompt: the prompt.
        prompt_spans: int32 [prompt tokens, 2 or more], each token's characters in it.
        text: the whole text.
        text_spans: int32 [window tokens, 2 or more], each token's characters in it.
        own: the window's tokens, from the first to the one after the last, whose spans count;
            a span that begins at another one counts in the neighbouring window.
        before_text: special tokens before the text.
    """

    prompt: str
    prompt_spans: Int32
    text: str
    text_spans: Int32
    own: tuple[int, int]
    before_text: int = 2


def spans_of_rows(
    rows: Sequence[PromptedRow], starts: Float32, ends: Float32, threshold: float
) -> list[list[FoundSpan]]:
    """The spans of each row.

    Args:
        rows: what stands in the rows.
        starts: float32 [rows, length], start scores of the tokens, before the sigmoid.
        ends: the same of ends.
        threshold: the probability that a position exceeds.
    """
    start_of, end_of = sigmoid(starts), sigmoid(ends)
    first = _columns(start_of > threshold)
    last = _columns(end_of > threshold)
    found = []
    for number, row in enumerate(rows):
        pairs = paired(first[number], last[number])
        found.append(
            [
                span
                for start, end in pairs
                if (
                    span := _span(
                        row, start, end, float(start_of[number, start] * end_of[number, end])
                    )
                )
            ]
        )
    return found


def merged(prompt: str, windows: Iterable[Sequence[FoundSpan]]) -> list[FoundSpan]:
    """The spans of one prompt and text from those of its windows, in the order of the text.

    A prompt with options in brackets is answered by an option, where one was found; another one by
    spans of the text, where there are any. Windows vote for an option, each for its likeliest: the
    most frequent wins, of equals the one of the higher sum. Its probability is the mean, as in
    PaddleNLP.
    """
    spans: list[FoundSpan] = []
    votes: Counter[str] = Counter()
    sums: dict[str, float] = {}
    for window in windows:
        spans.extend(span for span in window if span.is_in_text)
        options = [span for span in window if not span.is_in_text]
        if options:
            best = max(options, key=lambda span: span.probability)
            votes[best.text] += 1
            sums[best.text] = sums.get(best.text, 0.0) + best.probability
    if votes and (not spans or "[" in prompt):
        text = max(votes, key=lambda option: (votes[option], sums[option]))
        return [FoundSpan(-1, -1, text, sums[text] / votes[text])]
    return sorted(spans, key=lambda span: (span.start, span.end))


def paired(starts: Sequence[int], ends: Sequence[int]) -> list[tuple[int, int]]:
    """Pair positions, both in ascending order, as the module's first lines say."""
    start_of: dict[int, int] = {}
    start = end = 0
    while start < len(starts) and end < len(ends):
        if starts[start] > ends[end]:
            end += 1
            continue
        start_of[ends[end]] = starts[start]
        end += starts[start] == ends[end]
        start += 1
    return [(first, last) for last, first in start_of.items()]


def _columns(above: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> list[list[int]]:
    """The places of True in each row."""
    rows, columns = above.nonzero()
    bounds = np.searchsorted(rows, np.arange(len(above) + 1)).tolist()
    places = columns.tolist()
    return [places[first:last] for first, last in itertools.pairwise(bounds)]


def _span(row: PromptedRow, start: int, end: int, probability: float) -> FoundSpan | None:
    """The span of two positions of a row; None where it is in neither text alone."""
    prompt, text = len(row.prompt_spans), len(row.text_spans)
    if start >= 1 and end <= prompt:
        first, last = int(row.prompt_spans[start - 1, 0]), int(row.prompt_spans[end - 1, 1])
        return FoundSpan(-1, -1, row.prompt[first:last], probability)
    start, end = start - prompt - row.before_text, end - prompt - row.before_text
    if row.own[0] <= start < row.own[1] and end < text:
        first, last = int(row.text_spans[start, 0]), int(row.text_spans[end, 1])
        return FoundSpan(first, last, row.text[first:last], probability)
    return None
