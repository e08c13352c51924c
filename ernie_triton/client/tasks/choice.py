"""Multiple choice from Python: a context, a question and options in, the best option out.

A task client over `client` and `core`; the command line is `cli.choice`. The options stay here;
the answer names one of them by its place.

    with ChoiceClient("localhost:8001") as client:
        found = client.choose("女：早餐不好吃。", "什么不好？", ["房间", "早餐"])
        print(found.option, found.probabilities)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ernie_triton.client.client import (
    AsyncioClient,
    BlockingClient,
    rows_from_columns,
    run_blocking,
)
from ernie_triton.client.core import Caller, Row
from ernie_triton.client.wire import Reply, RequestedOutput
from ernie_triton.errors import ClientError
from ernie_triton.tasks import CHOICE, Task

_OUTPUTS = ("choice", "probabilities", "scores", "truncated")
_TEXTS = len(CHOICE.pair_texts) - 1
"""Texts of a row before its options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenOption:
    """The answer to a question.

    Attributes:
        index: place of the best option among those sent, from 0; of equals the first.
        probabilities: of each option, in the order sent; their sum is 1.
        scores: the model's own numbers, whose softmax the probabilities are.
        truncated: for each option, whether the model saw only a part of the texts beside it.
        option: the text of the best.
    """

    index: int
    probabilities: tuple[float, ...]
    scores: tuple[float, ...]
    truncated: tuple[bool, ...]
    option: str = ""

    @property
    def probability(self) -> float:
        """The probability of the best option."""
        return self.probabilities[self.index]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceCodec:
    """The outputs of multiple choice, and the reading of its reply."""

    @property
    def task(self) -> Task:
        """Multiple choice."""
        return CHOICE

    def requested_outputs(self) -> tuple[RequestedOutput, ...]:
        """The outputs to ask for."""
        return tuple(RequestedOutput(name=name) for name in _OUTPUTS)

    def results_from_reply(self, reply: Reply) -> list[ChosenOption]:
        """The answer to each question of the request, without the option's text."""
        columns = (reply[name].tolist() for name in _OUTPUTS)
        return [
            ChosenOption(
                index=index,
                probabilities=tuple(probabilities),
                scores=tuple(scores),
                truncated=tuple(cut),
            )
            for (index,), probabilities, scores, cut in zip(*columns, strict=True)
        ]


class ChoiceClient(BlockingClient):
    """Chooses the answers to questions from options on a Triton server."""

    task = CHOICE

    def choose(self, context: str, question: str, options: Sequence[str]) -> ChosenOption:
        """Choose the option that answers a question about a context.

        Args:
            context: what the question is about; may be empty.
            question: may be empty.
            options: at least two, at most as many as the server takes in one request.

        Raises:
            TextError: a text cannot be sent as UTF-8.
            RequestRefusedError: there are too few options, or too many.
            ClientError: there is no answer; the subclasses say why.
        """
        return run_blocking(_choose(self._caller, context, question, options))


class AsyncChoiceClient(AsyncioClient):
    """`ChoiceClient` for asyncio; calls may run at once."""

    task = CHOICE

    async def choose(self, context: str, question: str, options: Sequence[str]) -> ChosenOption:
        """Choose the option that answers a question; see `ChoiceClient.choose`."""
        return await _choose(self.caller, context, question, options)


async def choice_outcomes(caller: Caller, rows: Sequence[Row]) -> list[ChosenOption | ClientError]:
    """The answer to each row, a context, a question and its options; or the error of that row."""
    found = await caller.outcomes(rows, ChoiceCodec())
    return [
        outcome
        if isinstance(outcome, ClientError)
        else replace(outcome, option=row[_TEXTS + outcome.index].decode("utf-8"))
        for row, outcome in zip(rows, found, strict=True)
    ]


async def _choose(
    caller: Caller, context: str, question: str, options: Sequence[str]
) -> ChosenOption:
    columns = rows_from_columns({"options": options})
    [sent] = rows_from_columns({"context": [context], "question": [question]})
    [found] = await choice_outcomes(caller, [(*sent, *(text for (text,) in columns))])
    if isinstance(found, ClientError):
        raise found
    return found
