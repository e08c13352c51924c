"""Question answering: start and end scores of tokens to the best answers in the context.

A candidate is a start and an end in one window, scored by the sum of their logits; all windows of a
context compete. The no-answer candidate is the first token ([CLS]) of the window that scores it
lowest, as in SQuAD 2.0 (arxiv.org/abs/1806.03822; the scoring of BERT's `run_squad.py`).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Array, Tensors
from ernie_triton.decoders.window_merging import WindowOutputs, windows_by_text
from ernie_triton.settings import StageSettings
from ernie_triton.tasks import QA, WINDOW_TENSORS

_NOWHERE = (-1, -1)
_CONSIDERED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSettings(StageSettings):
    """The postprocess stage's parameters.

    The no-answer candidate wins if it scores more than `no_answer_threshold` above the best answer;
    infinite for models that were trained on questions with answers alone.
    """

    task: str
    max_answer_tokens: int
    n_best: int
    no_answer_threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCandidate:
    """A span of the context's characters (end excluded), or nowhere, and the sum of its logits.

    `score` is a probability: the softmax over the candidates considered.
    """

    span: tuple[int, int]
    logit: float
    score: float = 0.0


class AnswerDecoder:
    """Find the best answers of each question of a request."""

    def __init__(self, parameters: Mapping[str, str], labels: Sequence[str]) -> None:  # noqa: ARG002
        """Keep the settings."""
        self._settings = AnswerSettings.from_parameters(parameters)
        self._outputs = tuple(tensor.name for tensor in QA.engine_outputs)
        self.inputs = (*self._outputs, *(tensor.name for tensor in WINDOW_TENSORS))

    def read(self, tensors: Tensors) -> Tensors:
        """Take one request's scores."""
        return tensors

    def run(self, items: Sequence[Tensors]) -> list[dict[str, Array]]:
        """The best answers of each request's questions."""
        return [self._answer(tensors) for tensors in items]

    def _answer(self, tensors: Tensors) -> dict[str, Array]:
        answers, scores, spans, lists = [], [], [], []
        for context, windows in windows_by_text(tensors, self._outputs):
            candidates = best_candidates(windows, self._settings)
            best = candidates[0]
            answers.append(_cut(context, best.span).encode("utf-8"))
            scores.append(best.score)
            spans.append(best.span)
            records = [
                {
                    "answer": _cut(context, candidate.span),
                    "score": round(candidate.score, 6),
                    "span": list(candidate.span),
                }
                for candidate in candidates[: self._settings.n_best]
            ]
            lists.append(json.dumps(records, ensure_ascii=False).encode("utf-8"))
        return {
            "answer": np.array(answers, np.object_)[:, None],
            "score": np.array(scores, np.float32)[:, None],
            "span": np.array(spans, np.int64),
            "n_best": np.array(lists, np.object_)[:, None],
        }


def best_candidates(
    windows: Sequence[WindowOutputs], settings: AnswerSettings
) -> list[AnswerCandidate]:
    """The candidates of one context, the answer first; there is always at least one."""
    by_span: dict[tuple[int, int], float] = {}
    for window in windows:
        for span, logit in _window_candidates(window, settings.max_answer_tokens):
            by_span[span] = max(logit, by_span.get(span, -math.inf))
    ranked = sorted(by_span.items(), key=lambda entry: -entry[1])[:_CONSIDERED]
    nothing = min(
        float(window.outputs["start_logits"][0] + window.outputs["end_logits"][0])
        for window in windows
    )
    may_be_nothing = settings.no_answer_threshold != math.inf
    prefers_nothing = not ranked or (
        may_be_nothing and nothing - ranked[0][1] > settings.no_answer_threshold
    )
    if may_be_nothing or not ranked:
        place = 0 if prefers_nothing else _place_of(nothing, ranked)
        ranked.insert(place, (_NOWHERE, nothing))
    highest = max(logit for _, logit in ranked)
    weights = [math.exp(logit - highest) for _, logit in ranked]
    return [
        AnswerCandidate(span=span, logit=logit, score=weight / sum(weights))
        for (span, logit), weight in zip(ranked, weights, strict=True)
    ]


def _place_of(logit: float, ranked: Sequence[tuple[tuple[int, int], float]]) -> int:
    """Rank of the no-answer candidate below the best answer."""
    return max(1, sum(other >= logit for _, other in ranked))


def _window_candidates(
    window: WindowOutputs, max_answer_tokens: int
) -> list[tuple[tuple[int, int], float]]:
    """The best spans of characters in one window, with the sums of their logits."""
    tokens = window.text_tokens
    start, end = (window.outputs[name][tokens] for name in ("start_logits", "end_logits"))
    spans = window.spans[tokens]
    count = len(spans)
    if not count:
        return []
    # Row `first`, column `length - 1`: the sum for the answer of so many tokens from there on.
    most = min(max_answer_tokens, count)
    ends = np.concatenate([end, np.full(most - 1, -np.inf, np.float32)])
    sums = (start[:, None] + np.lib.stride_tricks.sliding_window_view(ends, most)).ravel()
    best = np.argpartition(-sums, min(_CONSIDERED, len(sums)) - 1)[:_CONSIDERED]
    best = best[np.lexsort((best, -sums[best]))]
    found = []
    for place in best[np.isfinite(sums[best])].tolist():
        first, length = divmod(place, most)
        span = (int(spans[first, 0]), int(spans[first + length, 1]))
        found.append((span, float(sums[place])))
    return found


def _cut(context: str, span: tuple[int, int]) -> str:
    return context[span[0] : span[1]] if span != _NOWHERE else ""
