"""Problems as RFC 9457 words them: a status, the cause, and the mend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ernie_triton.errors import (
    ContractError,
    DeadlineExceededError,
    ErnieTritonError,
    ModelAwayError,
    ModelNotReadyError,
    QueueFullError,
    RequestRefusedError,
    ServerUnavailableError,
    TextError,
)

PROBLEM_TYPE = "application/problem+json"
_PREFIX = "urn:ernie-triton:problem:"

# The first class that fits counts: subclasses come before their bases.
_KINDS: tuple[tuple[type[ErnieTritonError], int, str], ...] = (
    (TextError, 422, "text-refused"),
    (QueueFullError, 503, "queue-full"),
    (DeadlineExceededError, 504, "deadline-exceeded"),
    (ServerUnavailableError, 503, "server-away"),
    (ModelAwayError, 503, "pipeline-away"),
    (ModelNotReadyError, 503, "pipeline-not-ready"),
    (RequestRefusedError, 422, "request-refused"),
    (ContractError, 502, "contract-broken"),
    (ErnieTritonError, 502, "no-answer"),
)
_TITLES: Mapping[str, str] = {
    "text-refused": "A text cannot be read",
    "queue-full": "The pipeline's queue is full",
    "deadline-exceeded": "No answer in time",
    "server-away": "The pipeline's server is away",
    "pipeline-away": "The pipeline is being loaded",
    "pipeline-not-ready": "The pipeline is not ready",
    "request-refused": "The pipeline refused the request",
    "contract-broken": "The pipeline answers otherwise than expected",
    "no-answer": "There is no answer",
    "not-found": "There is no such path",
    "method-not-allowed": "The path takes another method",
    "unknown-pipeline": "There is no such pipeline",
    "no-pipeline-named": "Several pipelines could answer",
    "key-missing": "A key is missing",
    "key-unknown": "The key is not known",
    "pipeline-not-allowed": "The key is not for this pipeline",
    "rate-limited": "The key's rate is used up",
    "too-many-at-once": "Too many requests at once",
    "body-too-large": "The body is too large",
    "too-many-rows": "The request has too many texts",
    "body-too-slow": "The body came too slowly",
    "encoding-refused": "The body is encoded",
    "not-json": "The body is no JSON",
    "not-as-described": "The body is not as described",
    "not-available": "This gateway cannot do that",
    "internal": "The gateway failed",
}
PROBLEM_NAMES = tuple(_TITLES)


@dataclass
class ProblemError(Exception):
    """A request that gets no answer, as its caller is told.

    Attributes:
        name: the kind, one of `PROBLEM_NAMES`.
        status: of HTTP.
        cause: what was found, and what was expected.
        mend: what to do.
        headers: further headers of the answer.
    """

    name: str
    status: int
    cause: str
    mend: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self, request_id: str) -> dict[str, object]:
        """The members of the problem's JSON object."""
        return {
            "type": f"{_PREFIX}{self.name}",
            "title": _TITLES[self.name],
            "status": self.status,
            "detail": self.cause,
            "mend": self.mend,
            "request_id": request_id,
        }


class CallerGoneError(Exception):
    """The caller closed the connection before the answer."""


def problem_from_error(error: ErnieTritonError, urls: tuple[str, ...] = ()) -> ProblemError:
    """The problem of a client's error, without the addresses of servers."""
    status, name = next((status, name) for kind, status, name in _KINDS if isinstance(error, kind))
    message = str(error.args[0] if error.args else error)
    for url in urls:
        message = message.replace(url, "the server")
    cause, _, mend = message.rpartition("; ")
    headers = {"retry-after": "1"} if status == 503 else {}
    if not cause:
        cause, mend = message, _usual_mend(status)
    return ProblemError(name=name, status=status, cause=cause, mend=mend, headers=headers)


def _usual_mend(status: int) -> str:
    if status == 503:
        return "try again in a second"
    return "send other texts" if status == 422 else "tell the gateway's operator"
