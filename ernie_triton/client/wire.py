"""What crosses the seam between the clients and the network: requests, answers, transports.

Nothing here knows gRPC. `transport` implements the two protocols over tritonclient, the tests
implement them in memory, and `core` uses either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

from ernie_triton.errors import TextError

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
    """One request: a column of UTF-8 values for each input, all of the same length."""

    columns: Mapping[str, list[bytes]]
    outputs: tuple[RequestedOutput, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What the model's own config says: its tensors, and how many rows a request may have."""

    max_batch_size: int
    inputs: tuple[str, ...]
    outputs: Mapping[str, tuple[int, ...]]


class Transport(Protocol):
    """A blocking connection to one model; raises `ClientError`s only."""

    def infer(self, request: InferRequest, timeout_s: float) -> Reply:
        """The answer to one request."""

    def facts(self, timeout_s: float) -> ModelFacts:
        """What the model's config says."""

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
        """What the model's config says."""

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
