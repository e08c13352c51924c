"""The best answers are those that a search through every span of every window finds."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.decoders.spans import (
    AnswerCandidate,
    AnswerDecoder,
    AnswerSettings,
    best_candidates,
)
from ernie_triton.decoders.window_merging import WindowOutputs, windows_by_text
from tests.decoders.windowed import Cover, cover, request_of, source_of, span_of

HEAD = 4
"""[CLS], a question of two tokens, and [SEP]."""

NAMES = ("start_logits", "end_logits")
NOWHERE = (-1, -1)
CONSIDERED = 20
"""Candidates that share the probability."""

Scores = npt.NDArray[np.float64]


def settings_of(
    *, max_answer_tokens: int = 5, n_best: int = 3, no_answer_threshold: float = math.inf
) -> AnswerSettings:
    return AnswerSettings(
        task="qa",
        max_answer_tokens=max_answer_tokens,
        n_best=n_best,
        no_answer_threshold=no_answer_threshold,
    )


def random_request(
    texts: Sequence[tuple[int, Cover]], seed: int
) -> tuple[dict[str, npt.NDArray[Any]], dict[tuple[int, int], Scores]]:
    """Random logits, and what they are by text and window; special tokens would win."""
    generator = np.random.default_rng(seed)
    drawn: dict[tuple[int, int], Scores] = {}

    def outputs(item: int, first: int, end: int) -> dict[str, npt.NDArray[Any]]:
        # Quarters, so that ties occur and sums are exact.
        logits = generator.integers(-12, 12, (2, HEAD + end - first + 1)) / 4
        logits[:, 1:HEAD] = logits[:, -1] = 100
        drawn[item, first] = logits
        return dict(zip(NAMES, logits, strict=True))

    return request_of(texts, outputs, head=HEAD), drawn


def brute_force(
    windows: Cover, logits: Sequence[Scores], longest: int
) -> tuple[dict[tuple[int, int], float], float]:
    """The best sum for each span of characters, and the no-answer score."""
    sums: dict[tuple[int, int], float] = {}
    for (first, end), (starts, ends) in zip(windows, logits, strict=True):
        for start in range(first, end):
            for last in range(start, min(end, start + longest)):
                span = (span_of(start)[0], span_of(last)[1])
                total = starts[HEAD + start - first] + ends[HEAD + last - first]
                sums[span] = max(total, sums.get(span, -math.inf))
    return sums, min(starts[0] + ends[0] for starts, ends in logits)


@st.composite
def covered_contexts(draw: st.DrawFn) -> tuple[int, Cover]:
    tokens, room = draw(st.integers(1, 30)), draw(st.integers(1, 12))
    return tokens, cover(tokens, room, draw(st.integers(0, room - 1)))


def probabilities(logits: Sequence[float]) -> list[float]:
    weights = [math.exp(logit) for logit in logits]
    return [weight / sum(weights) for weight in weights]


@given(
    text=covered_contexts(),
    seed=st.integers(0, 2**32 - 1),
    longest=st.integers(1, 40),
    threshold=st.just(math.inf) | st.integers(-30, 30).map(lambda quarter: quarter / 4),
)
def test_candidates_are_the_best_of_all_spans(
    text: tuple[int, Cover], seed: int, longest: int, threshold: float
) -> None:
    request, drawn = random_request([text], seed)
    ((_, windows),) = windows_by_text(request, NAMES)
    settings = settings_of(max_answer_tokens=longest, no_answer_threshold=threshold)
    made = best_candidates(windows, settings)
    sums, nothing = brute_force(text[1], [drawn[0, first] for first, _ in text[1]], longest)

    answers = [one for one in made if one.span != NOWHERE]
    ranked = sorted(sums.values(), reverse=True)[:CONSIDERED]
    assert [one.logit for one in answers] == ranked
    assert [sums[one.span] for one in answers] == ranked
    assert len({one.span for one in answers}) == len(answers)

    without = [one for one in made if one.span == NOWHERE]
    assert [one.logit for one in without] == ([nothing] if threshold < math.inf else [])
    assert (made[0].span == NOWHERE) == (nothing - ranked[0] > threshold)
    assert [one.score for one in made] == pytest.approx(probabilities([one.logit for one in made]))
    assert sum(one.score for one in made) == pytest.approx(1)
    # Past the decision itself the order is that of the logits.
    rest = [one.logit for one in made[1:]]
    assert rest == sorted(rest, reverse=True)


def one_window(starts: Sequence[float], ends: Sequence[float]) -> WindowOutputs:
    """A context in one window; the first score is [CLS]'s."""
    tokens = len(starts) - 1

    def outputs(_item: int, _first: int, _end: int) -> dict[str, npt.NDArray[Any]]:
        return {
            name: np.array([*values, 100.0], np.float32)
            for name, values in zip(NAMES, (starts, ends), strict=True)
        }

    ((_, (window,)),) = windows_by_text(request_of([(tokens, [(0, tokens)])], outputs), NAMES)
    return window


@pytest.mark.parametrize(
    ("threshold", "answered"),
    [(math.inf, True), (2.25, True), (2.0, True), (1.75, False), (0.0, False), (-5.0, False)],
)
def test_no_answer_must_score_more_than_the_threshold_above_the_best(
    threshold: float, answered: bool
) -> None:
    # [CLS] has 4 + 2 = 6; the best answer, the second token, 3 + 1 = 4.
    window = one_window([4, 0, 3], [2, 0, 1])
    made = best_candidates([window], settings_of(no_answer_threshold=threshold))
    assert made[0].span == (span_of(1) if answered else NOWHERE)
    assert any(one.span == NOWHERE for one in made) == (threshold < math.inf)


def test_no_answer_is_as_likely_as_the_window_least_sure_of_it() -> None:
    sure, unsure = one_window([9, 0], [9, 0]), one_window([1, 0], [1, 0])
    made = best_candidates([sure, unsure], settings_of(no_answer_threshold=5))
    assert made[0] == AnswerCandidate(span=span_of(0), logit=0.0, score=made[0].score)
    assert made[1].span == NOWHERE
    assert made[1].logit == 2


def test_an_answer_does_not_run_backwards_or_too_far() -> None:
    window = one_window([0, 0, 0, 9], [0, 9, 0, 0])
    (best, *_) = best_candidates([window], settings_of())
    assert best.span[0] < best.span[1]
    far = one_window([0, 9, 0, 0], [0, 0, 0, 9])
    assert best_candidates([far], settings_of(max_answer_tokens=3))[0].span == (0, 5)
    assert best_candidates([far], settings_of(max_answer_tokens=2))[0].span != (0, 5)


@pytest.mark.parametrize("threshold", [math.inf, 0.0])
def test_a_context_without_tokens_has_no_answer(threshold: float) -> None:
    made = best_candidates([one_window([1], [1])], settings_of(no_answer_threshold=threshold))
    assert made == [AnswerCandidate(span=NOWHERE, logit=2.0, score=1.0)]


def decoder(settings: AnswerSettings) -> AnswerDecoder:
    return AnswerDecoder(settings.to_parameters(), ())


@pytest.mark.parametrize("n_best", [1, 3, 50])
def test_answers_are_cut_out_of_their_own_contexts(n_best: int) -> None:
    texts: list[tuple[int, Cover]] = [(23, cover(23, 7, 3)), (2, [(0, 2)]), (0, [(0, 0)])]
    requests = [random_request(texts[:2], 1)[0], random_request(texts, 2)[0]]
    made = decoder(settings_of(n_best=n_best))
    answers = made.run([made.read(request) for request in requests])
    for rows, answer in zip((2, 3), answers, strict=True):
        assert {name: (array.dtype.name, array.shape) for name, array in answer.items()} == {
            "answer": ("object", (rows, 1)),
            "score": ("float32", (rows, 1)),
            "span": ("int64", (rows, 2)),
            "n_best": ("object", (rows, 1)),
        }
        for row in range(rows):
            context = source_of(texts[row][0])
            records = json.loads(answer["n_best"][row, 0])
            assert len(records) == min(n_best, [20, 3, 1][row])
            for record in records:
                first, end = record["span"]
                assert record["answer"] == (context[first:end] if first >= 0 else "")
            assert records[0]["answer"].encode() == answer["answer"][row, 0]
            assert records[0]["span"] == answer["span"][row].tolist()
            assert records[0]["score"] == pytest.approx(answer["score"][row, 0], abs=1e-6)
    assert answers[1]["answer"][2, 0] == b""
    assert answers[1]["span"][2].tolist() == [-1, -1]


def test_a_preferred_no_answer_is_an_empty_answer_before_the_others() -> None:
    request, _ = random_request([(4, [(0, 4)])], 3)
    made = decoder(settings_of(n_best=2, no_answer_threshold=-1000.0))
    (answer,) = made.run([made.read(request)])
    assert answer["answer"].tolist() == [[b""]]
    assert answer["span"].tolist() == [[-1, -1]]
    first, second = json.loads(answer["n_best"][0, 0])
    assert (first["answer"], first["span"]) == ("", [-1, -1])
    assert second["answer"]
