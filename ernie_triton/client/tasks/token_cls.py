"""Token classification from Python: texts in, entities with their characters out.

A task client over `client` and `core`; the command line is `cli.token_cls`.

    with TokenClsClient("localhost:8001") as client:
        [entities] = client.entities(["北京的涮肉"])
        print([(entity.text, entity.label) for entity in entities])
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
from ernie_triton.tasks import TOKEN_CLS, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """An entity of a text: its characters are `[start:end]` of the text as sent, end excluded.

    The wire has the last character instead, included.
    """

    text: str
    label: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A word of a text with its label; its characters are `[start:end]`, end excluded."""

    text: str
    label: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityCodec:
    """The output with the entities of texts, and its reading."""

    @property
    def task(self) -> Task:
        """Token classification."""
        return TOKEN_CLS

    def requested_outputs(self) -> tuple[RequestedOutput, ...]:
        """The outputs to ask for."""
        return (RequestedOutput(name="OUTPUT"),)

    def results_from_reply(self, reply: Reply) -> list[tuple[Entity, ...]]:
        """The entities of each row of the request, in the order of the text."""
        return parsed_lists(reply, "OUTPUT", lambda one: Entity(**_fields(one, "entity")))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCodec:
    """The output with the labels of words, if the build has it, and its reading."""

    @property
    def task(self) -> Task:
        """Token classification."""
        return TOKEN_CLS

    def requested_outputs(self) -> tuple[RequestedOutput, ...]:
        """The outputs to ask for."""
        return (RequestedOutput(name="tokens"),)

    def results_from_reply(self, reply: Reply) -> list[tuple[Token, ...]]:
        """The words of each row of the request, in the order of the text."""
        return parsed_lists(reply, "tokens", lambda one: Token(**_fields(one, "token")))


class TokenClsClient(BlockingClient):
    """Finds entities in texts on a Triton server."""

    task = TOKEN_CLS

    def entities(self, texts: Sequence[str]) -> list[tuple[Entity, ...]]:
        """The entities of each text, in its order.

        Raises:
            TextError: a text cannot be sent as UTF-8.
            ClientError: there is no answer; the subclasses say why.
        """
        return run_blocking(_entities(self._caller, texts))

    def tokens(self, texts: Sequence[str]) -> list[tuple[Token, ...]]:
        """The label of each word of each text.

        Raises:
            ContractError: the model was built without per-token output.
            TextError: a text cannot be sent as UTF-8.
            ClientError: there is no answer; the subclasses say why.
        """
        return run_blocking(_tokens(self._caller, texts))


class AsyncTokenClsClient(AsyncioClient):
    """`TokenClsClient` for asyncio; calls may run at once."""

    task = TOKEN_CLS

    async def entities(self, texts: Sequence[str]) -> list[tuple[Entity, ...]]:
        """The entities of each text, in its order; errors as in `TokenClsClient`."""
        return await _entities(self.caller, texts)

    async def tokens(self, texts: Sequence[str]) -> list[tuple[Token, ...]]:
        """The label of each word of each text; errors as in `TokenClsClient`."""
        return await _tokens(self.caller, texts)


async def _entities(caller: Caller, texts: Sequence[str]) -> list[tuple[Entity, ...]]:
    return await caller.results(rows_from_columns({"texts": texts}), EntityCodec())


async def _tokens(caller: Caller, texts: Sequence[str]) -> list[tuple[Token, ...]]:
    return await caller.results(rows_from_columns({"texts": texts}), TokenCodec())


def _fields(record: dict[str, Any], text_key: str) -> dict[str, Any]:
    """The fields of an entity or token from its JSON object, where the last character counts."""
    first, last = record["pos"]
    return {
        "text": str(record[text_key]),
        "label": str(record["label"]),
        "start": int(first),
        "end": int(last) + 1,
        "score": float(record["score"]),
    }
