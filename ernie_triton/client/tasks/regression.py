"""Regression from Python: texts or pairs of texts in, one score each out.

A task client over `client` and `core`; the command line is `cli.regression`.

    with RegressionClient("localhost:8001") as client:
        [score] = client.score(["怎么还款"], ["如何还钱"])
        print(score.value)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ernie_triton.client.client import (
    AsyncioClient,
    BlockingClient,
    rows_from_columns,
    run_blocking,
)
from ernie_triton.client.core import Caller
from ernie_triton.client.tasks.seq_cls import text_columns
from ernie_triton.client.wire import Reply, RequestedOutput
from ernie_triton.tasks import REGRESSION, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The model's number for one text or pair, and whether it saw only the start."""

    value: float
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionCodec:
    """The outputs of regression, and the reading of its reply."""

    @property
    def task(self) -> Task:
        """Regression."""
        return REGRESSION

    def requested_outputs(self) -> tuple[RequestedOutput, ...]:
        """The outputs to ask for."""
        return (RequestedOutput(name="score"), RequestedOutput(name="truncated"))

    def results_from_reply(self, reply: Reply) -> list[Score]:
        """The score of each row of the request."""
        columns = (reply[name].ravel().tolist() for name in ("score", "truncated"))
        return [Score(value=value, truncated=cut) for value, cut in zip(*columns, strict=True)]


class RegressionClient(BlockingClient):
    """Scores texts, or pairs of texts, on a Triton server."""

    task = REGRESSION

    def score(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> list[Score]:
        """The score of each text, or of each text with its pair.

        Raises:
            TextError: a text cannot be sent as UTF-8.
            ClientError: there is no answer; the subclasses say why.
        """
        return run_blocking(_score(self._caller, texts, text_pairs))


class AsyncRegressionClient(AsyncioClient):
    """`RegressionClient` for asyncio; calls may run at once."""

    task = REGRESSION

    async def score(
        self, texts: Sequence[str], text_pairs: Sequence[str] | None = None
    ) -> list[Score]:
        """The score of each text, or of each text with its pair."""
        return await _score(self.caller, texts, text_pairs)


async def _score(
    caller: Caller, texts: Sequence[str], text_pairs: Sequence[str] | None
) -> list[Score]:
    return await caller.results(
        rows_from_columns(text_columns(texts, text_pairs)), RegressionCodec()
    )
