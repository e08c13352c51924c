"""Question answering: the answer cut out of a context, or that there is none."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from samples.answers import exact_match, overlap_f1
from samples.errors import DataError
from samples.examples import Example
from samples.files import read_text
from samples.learners.base import Batch, Figures, Learner, in_batches

if TYPE_CHECKING:
    import torch
    from transformers import BatchEncoding, BertTokenizer, PreTrainedModel

MAX_LENGTH = 160
STRIDE = 48
"""Tokens of the context that two neighbouring windows share."""
MAX_ANSWER_TOKENS = 16
DROP_SHARES = (0.0, 0.3, 0.6)
ANSWER_DROP_SHARE = 0.08
_SENTENCE = re.compile("[^。]*。|[^。]+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer, and its first character in the context; None: there is no answer."""

    text: str
    start: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader(Learner[Answer]):
    """Learns the first and the last token of the answer; the first token, [CLS], says none."""

    @property
    def model_class(self) -> "type[PreTrainedModel]":
        """A start and an end score for every token."""
        from transformers import ErnieForQuestionAnswering

        return ErnieForQuestionAnswering

    @property
    def config(self) -> Mapping[str, Any]:
        """Nothing: start and end are no labels of the task's."""
        return {}

    def read(self, path: Path) -> list[Example[Answer]]:
        """Read a file laid out as SQuAD is."""
        try:
            content = json.loads(read_text(path))
            examples = list(_examples_of(content))
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{path} is not of SQuAD's format: {error!r}") from error
        if not examples:
            raise DataError(f"{path} has no question; make it with `python -m samples generate`")
        return examples

    def encode(self, tokenizer: "BertTokenizer", examples: Sequence[Example[Answer]]) -> Batch:
        """A row for each window; add `starts` and `ends`: int64 [windows], 0 where none is in."""
        import torch

        encoding = _encode(tokenizer, examples)
        spans = []
        for row, source in enumerate(encoding["overflow_to_sample_mapping"]):
            answer = examples[source].target
            spans.append((0, 0) if answer.start is None else _token_span(encoding, row, answer))
        starts, ends = torch.tensor(spans).T
        return {**_inputs(encoding), "starts": starts, "ends": ends}

    def loss(self, model: "PreTrainedModel", batch: Batch, smoothing: float) -> "torch.Tensor":
        """The mean cross-entropy of both ends over the real tokens.

        Label smoothing would share its part among tokens that can be no answer: it is left out.
        """
        import torch

        del smoothing
        starts, ends = batch.pop("starts"), batch.pop("ends")
        output = model(**batch)
        padding = batch["attention_mask"] == 0
        losses = [
            torch.nn.functional.cross_entropy(logits.masked_fill(padding, -1e4), places)
            for logits, places in ((output.start_logits, starts), (output.end_logits, ends))
        ]
        return (losses[0] + losses[1]) / 2

    def measure(
        self,
        model: "PreTrainedModel",
        tokenizer: "BertTokenizer",
        examples: Sequence[Example[Answer]],
        calibration: Figures,  # noqa: ARG002
    ) -> Figures:
        """CMRC 2018's exact match and F1; also exact match of both kinds of questions alone."""
        given = [
            text
            for chosen in in_batches(examples)
            for text in answer_questions(model, tokenizer, chosen)
        ]
        exact = np.array(
            [exact_match(e.target.text, text) for e, text in zip(examples, given, strict=True)]
        )
        f1 = [overlap_f1(e.target.text, text) for e, text in zip(examples, given, strict=True)]
        answerable = np.array([example.target.start is not None for example in examples])
        return {
            "exact_match": float(exact.mean()),
            "f1": float(np.mean(f1)),
            "exact_match_answerable": float(exact[answerable].mean()) if answerable.any() else 0.0,
            "exact_match_no_answer": float(exact[~answerable].mean()) if any(~answerable) else 0.0,
        }

    def vary(self, example: Example[Answer], rng: Random) -> Example[Answer]:
        """Shuffle the sentences after the first and leave some out, at times the answer's."""
        question, context = example.texts
        answer = example.target
        share = rng.choice(DROP_SHARES)
        sentences: list[tuple[str, int | None]] = []
        for sentence in _SENTENCE.finditer(context):
            inside = answer.start is not None and sentence.start() <= answer.start < sentence.end()
            place = (answer.start or 0) - sentence.start() if inside else None
            dropped = rng.random() < (ANSWER_DROP_SHARE if inside else share)
            if not dropped or sentence.start() == 0:
                sentences.append((sentence[0], place))
        rest = sentences[1:]
        rng.shuffle(rest)
        varied, start = "", None
        for text, place in (*sentences[:1], *rest):
            start = len(varied) + place if place is not None else start
            varied += text
        target = (
            Answer(text="", start=None) if start is None else Answer(text=answer.text, start=start)
        )
        return Example(texts=(question, varied), target=target)


def answer_questions(
    model: "PreTrainedModel", tokenizer: "BertTokenizer", examples: Sequence[Example[Answer]]
) -> list[str]:
    """The best answer of all windows of each context; "" where no answer scores higher.

    A span scores its start's and its end's logit together; no answer scores the lowest sum at
    [CLS] of any window, as in SQuAD 2.0's baselines.
    """
    encoding = _encode(tokenizer, examples)
    output = model(**_inputs(encoding))
    best: list[tuple[float, str]] = [(-np.inf, "")] * len(examples)
    none = [np.inf] * len(examples)
    for row, source in enumerate(encoding["overflow_to_sample_mapping"]):
        starts, ends = output.start_logits[row].numpy(), output.end_logits[row].numpy()
        places = _context_tokens(encoding, row)
        score, first, last = _best_span(starts[places], ends[places])
        if score > best[source][0]:
            offsets = encoding["offset_mapping"][row]
            start, end = offsets[places.start + first][0], offsets[places.start + last][1]
            best[source] = (score, examples[source].texts[1][start:end])
        none[source] = min(none[source], float(starts[0] + ends[0]))
    return ["" if no > score else text for (score, text), no in zip(best, none, strict=True)]


def _examples_of(content: dict[str, Any]) -> Iterator[Example[Answer]]:
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            for qa in paragraph["qas"]:
                answer = _answer_of(qa, paragraph["context"])
                yield Example(texts=(qa["question"], paragraph["context"]), target=answer)


def _answer_of(qa: dict[str, Any], context: str) -> Answer:
    """The first of a question's answers."""
    if not qa["answers"]:
        return Answer(text="", start=None)
    text, start = str(qa["answers"][0]["text"]), int(qa["answers"][0]["answer_start"])
    if context[start : start + len(text)] != text:
        raise ValueError(f"{qa['id']}: {text!r} does not stand at {start}")
    return Answer(text=text, start=start)


def _encode(tokenizer: "BertTokenizer", examples: Sequence[Example[Answer]]) -> "BatchEncoding":
    encoding: BatchEncoding = tokenizer(
        [example.texts[0] for example in examples],
        [example.texts[1] for example in examples],
        padding=True,
        truncation="only_second",
        max_length=MAX_LENGTH,
        stride=STRIDE,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    return encoding


def _inputs(encoding: "BatchEncoding") -> Batch:
    import torch

    names = ("input_ids", "token_type_ids", "attention_mask")
    return {name: torch.tensor(encoding[name]) for name in names}


def _context_tokens(encoding: "BatchEncoding", row: int) -> slice:
    sides = encoding.sequence_ids(row)
    first = sides.index(1)
    return slice(first, first + sides.count(1))


def _token_span(encoding: "BatchEncoding", row: int, answer: Answer) -> tuple[int, int]:
    """The tokens of the answer in a window; 0 and 0 where the window does not hold all of it."""
    start = answer.start or 0
    end = start + len(answer.text)
    places = _context_tokens(encoding, row)
    offsets = encoding["offset_mapping"][row]
    inside = [i for i in range(places.start, places.stop) if start < offsets[i][1]]
    inside = [i for i in inside if offsets[i][0] < end]
    whole = inside and offsets[inside[0]][0] <= start and offsets[inside[-1]][1] >= end
    return (inside[0], inside[-1]) if whole else (0, 0)


def _best_span(
    starts: npt.NDArray[np.float32], ends: npt.NDArray[np.float32]
) -> tuple[float, int, int]:
    scores = np.add.outer(starts, ends)
    length = np.subtract.outer(np.arange(len(starts)), np.arange(len(ends))) * -1
    scores[(length < 0) | (length >= MAX_ANSWER_TOKENS)] = -np.inf
    first, last = divmod(int(scores.argmax()), len(ends))
    return float(scores[first, last]), first, last
