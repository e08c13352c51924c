"""Question answering from Python: questions and contexts in, answers with their characters out.

A task client over `client` and `core`; the command line is `cli.qa`.

    with QaClient("localhost:8001") as client:
        [answer] = client.answer(["北京是哪国的首都？"], ["北京是中国的首都。"])
        print(answer.text, answer.score)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ernie_triton.client.client import (
    AsyncioClient,
    BlockingClient,
    rows_from_columns,
    run_blocking,
)
from ernie_triton.client.core import Caller
from ernie_triton.client.wire import Reply, RequestedOutput, parsed_lists
from ernie_triton.tasks import QA, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One of the best answers; no answer has the text "" and the characters -1 and -1."""

    text: str
    score: float
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to one question.

    Attributes:
        text: empty where the context has no answer.
        score: as the model gives it; higher is better.
        start: its characters are `[start:end]` of the context as sent, end excluded; -1 for none.
        end: see `start`.
        candidates: the best answers, best first; "no answer" is one of them.
    """

    text: str
    score: float
    start: int
    end: int
    candidates: tuple[Candidate, ...]

    @property
    def found(self) -> bool:
        """True if the context has an answer."""
        return self.start >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QaCodec:
    """The outputs of question answering, and the reading of its reply."""

    @property
    def task(self) -> Task:
        """Question answering."""
        return QA

    def requested_outputs(self) -> tuple[RequestedOutput, ...]:
        """The outputs to ask for."""
        return tuple(RequestedOutput(name=name) for name in ("answer", "score", "span", "n_best"))

    def results_from_reply(self, reply: Reply) -> list[Answer]:
        """The answer for each row of the request."""
        texts = reply["answer"].ravel().tolist()
        scores = reply["score"].ravel().tolist()
        spans = reply["span"].reshape(-1, 2).tolist()
        candidates = parsed_lists(reply, "n_best", _candidate)
        return [
            Answer(text=text.decode("utf-8"), score=score, start=start, end=end, candidates=best)
            for text, score, (start, end), best in zip(
                texts, scores, spans, candidates, strict=True
            )
        ]


class QaClient(BlockingClient):
    """Answers questions about contexts on a Triton server."""

    task = QA

    def answer(self, questions: Sequence[str], contexts: Sequence[str]) -> list[Answer]:
        """The answer to each question from the context beside it.

        Raises:
            TextError: a text cannot be sent as UTF-8.
            ClientError: there is no answer; the subclasses say why.
        """
        return run_blocking(_answer(self._caller, questions, contexts))


class AsyncQaClient(AsyncioClient):
    """`QaClient` for asyncio; calls may run at once."""

    task = QA

    async def answer(self, questions: Sequence[str], contexts: Sequence[str]) -> list[Answer]:
        """The answer to each question from the context beside it; errors as in `QaClient`."""
        return await _answer(self.caller, questions, contexts)


async def _answer(
    caller: Caller, questions: Sequence[str], contexts: Sequence[str]
) -> list[Answer]:
    rows = rows_from_columns({"questions": questions, "contexts": contexts})
    return await caller.results(rows, QaCodec())


def _candidate(record: dict[str, Any]) -> Candidate:
    start, end = record["span"]
    return Candidate(
        text=str(record["answer"]), score=float(record["score"]), start=int(start), end=int(end)
    )
