"""Requests, replies and transports: the seam between the clients and the network.

Nothing here knows gRPC. `transport` implements the two protocols over tritonclient, the tests
implement them in memory, and `core` uses either.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy.typing as npt

from ernie_triton.errors import ContractError, TextError

_T = TypeVar("_T")

Reply = Mapping[str, npt.NDArray[Any]]
"""The requested outputs by name, each with its first dimension over the request's rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The model that a client talks to, and where."""

    url: str
    model: str

    def __str__(self) -> str:
        return f"model {self.model!r} at {self.url}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedOutput:
    """An output to return; with a `class_count`, its highest values as Triton's classification.

    A classified output comes back as BYTES [rows, class_count], best first, each
    `score:index:label` (`score:index` where the model's config names no labels).
    """

    name: str
    class_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InferRequest:
    """One request: a column of UTF-8 values for each input.

    Attributes:
        columns: the values by the input's name; the first has one for each row. Another may have
            several for each row, as many for all, row after row.
        outputs: what to return.
        request_id: names the request in the server's log, its traces and its errors.
        headers: what goes with the request beside its content, such as its trace.
    """

    columns: Mapping[str, list[bytes]]
    outputs: tuple[RequestedOutput, ...]
    request_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def shape_of(self, name: str) -> tuple[int, int]:
        """The shape of an input's tensor: rows, and values of a row."""
        rows = len(next(iter(self.columns.values())))
        return rows, len(self.columns[name]) // max(rows, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """Facts of the model's own config: its tensors, its kind and the most rows of a request.

    `prompts` are texts to put before others, by name; a model of vectors may have some. `stages`
    are the models of an ensemble, in order.
    """

    max_batch_size: int
    inputs: tuple[str, ...]
    outputs: Mapping[str, tuple[int, ...]]
    is_ensemble: bool = False
    stages: tuple[str, ...] = ()
    prompts: Mapping[str, str] = field(default_factory=dict)


class Transport(Protocol):
    """A blocking connection to one model; raises `ClientError`s only."""

    def infer(self, request: InferRequest, timeout_s: float) -> Reply:
        """The answer to one request."""

    def facts(self, timeout_s: float) -> ModelFacts:
        """The facts of the model's config."""

    def ready_models(self, timeout_s: float) -> tuple[str, ...]:
        """Names of the models that the server has ready, sorted."""

    def pause(self, pause_s: float) -> None:
        """Wait before a retry."""

    def close(self) -> None:
        """Give the connection back."""


class AsyncTransport(Protocol):
    """The same connection for asyncio."""

    async def infer(self, request: InferRequest, timeout_s: float) -> Reply:
        """The answer to one request."""

    async def facts(self, timeout_s: float) -> ModelFacts:
        """The facts of the model's config."""

    async def ready_models(self, timeout_s: float) -> tuple[str, ...]:
        """Names of the models that the server has ready, sorted."""

    async def pause(self, pause_s: float) -> None:
        """Wait before a retry."""

    async def close(self) -> None:
        """Give the connection back."""


def utf8_from_text(text: str) -> bytes:
    """The text as it is sent.

    Raises:
        TextError: it holds a lone surrogate, which UTF-8 cannot express.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TextError(
            f"the text holds the lone surrogate U+{ord(text[error.start]):04X} at character "
            f"{error.start}, which UTF-8 cannot express; replace it"
        ) from error


def parsed_lists(
    reply: Reply, output: str, parse: Callable[[dict[str, Any]], _T]
) -> list[tuple[_T, ...]]:
    """Parse an output of JSON lists, one a row, of shape [rows] or [rows, 1].

    Args:
        reply: the reply.
        output: the output's name.
        parse: makes a value of one object of a list.

    Raises:
        ContractError: a value is no such list.
    """
    return [_parsed_list(cell, output, parse) for cell in reply[output].ravel().tolist()]


def _parsed_list(cell: bytes, output: str, parse: Callable[[dict[str, Any]], _T]) -> tuple[_T, ...]:
    try:
        return tuple(parse(record) for record in json.loads(cell))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ContractError(
            f"the model returned {output} {cell[:80]!r}, expected a JSON list as in the wire "
            f"contract ({type(error).__name__}: {error}); name a model that this version built"
        ) from error
