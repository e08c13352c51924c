"""The gateway as an ASGI application: finds the endpoint, lets the caller in, words the answer."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ernie_triton.client.request_context import RequestContext, request_context
from ernie_triton.errors import ErnieTritonError
from ernie_triton.gateway.endpoints.endpoint import Call, JsonEndpoint
from ernie_triton.gateway.endpoints.table import ALIASES
from ernie_triton.gateway.guard.guard import Guard
from ernie_triton.gateway.http import (
    HttpAnswer,
    HttpRequest,
    ReceiveMessage,
    SendMessage,
    check_strings,
)
from ernie_triton.gateway.pipelines import Pipelines
from ernie_triton.gateway.problems import (
    PROBLEM_TYPE,
    CallerGoneError,
    ProblemError,
    problem_from_error,
)
from ernie_triton.gateway.settings import LEAST_TIME_S, ConnectionBounds, RequestBounds
from ernie_triton.gateway.spans import Spans
from ernie_triton.gateway.views import PathView
from ernie_triton.gateway.watching import Seen, Watching

_CALLER_GONE = 499  # as nginx logs it


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Parts of a gateway.

    Attributes:
        pipelines: where requests go.
        guard: lets requests in.
        endpoints: paths that take JSON.
        views: paths that are only read.
        watching: log and metrics.
        bounds: of each request.
        connection_bounds: of each connection.
        check_s: between two looks at the servers.
        spans: of traced requests; None traces none.
    """

    pipelines: Pipelines
    guard: Guard
    endpoints: Mapping[str, JsonEndpoint]
    views: Mapping[str, PathView]
    watching: Watching
    bounds: RequestBounds
    connection_bounds: ConnectionBounds
    check_s: float
    spans: Spans | None = None


class Gateway:
    """An ASGI application over its parts."""

    def __init__(self, parts: Parts) -> None:
        """Prepare a reader for each endpoint's body; nothing is asked yet."""
        self.parts = parts
        self._decoders = {
            path: msgspec.json.Decoder(endpoint.request)
            for path, endpoint in parts.endpoints.items()
        }
        self._watching: asyncio.Task[None] | None = None

    async def __call__(
        self, scope: Mapping[str, Any], receive: ReceiveMessage, send: SendMessage
    ) -> None:
        """Serve one request, or the start and the end of the worker."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        request = HttpRequest(scope, receive)
        names = _names_of(request)
        seen = Seen(request_id=names.request_id, method=request.method, path=request.path)
        span = self.parts.spans.begin(names.traceparent) if self.parts.spans else None
        parent = span.traceparent if span else names.traceparent
        with request_context(request_id=names.request_id, traceparent=parent):
            answer = await self._answered(request, seen)
        seen.status = answer.status if answer else _CALLER_GONE
        if answer is not None:
            await answer.send(send)
        self.parts.watching.done(seen)
        if self.parts.spans and span:
            self.parts.spans.end(span, seen)

    async def _live(self, receive: ReceiveMessage, send: SendMessage) -> None:
        """Watch the servers from the worker's start to its end."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.parts.pipelines.look(self.parts.check_s)
                watch = self.parts.pipelines.watch(self.parts.check_s)
                self._watching = asyncio.ensure_future(watch)
                await send({"type": "lifespan.startup.complete"})
                continue
            if self._watching is not None:
                self._watching.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._watching
            await self.parts.pipelines.close()
            self.parts.watching.close()
            if self.parts.spans:
                self.parts.spans.close()
            await send({"type": "lifespan.shutdown.complete"})
            return

    async def _answered(self, request: HttpRequest, seen: Seen) -> HttpAnswer | None:
        """The answer, or the problem's; None for a caller that left."""
        started = time.perf_counter()
        try:
            answer = await self._answer(request, seen)
        except CallerGoneError:
            return None
        except ProblemError as error:
            answer = _problem_answer(error, seen)
        except ErnieTritonError as error:
            problem = problem_from_error(error, self.parts.pipelines.urls)
            answer = _problem_answer(problem, seen)
        except Exception:
            self.parts.watching.log.event(
                "failed", traceback.format_exc(), request_id=seen.request_id
            )
            problem = ProblemError("internal", 500, "the gateway failed", "tell its operator")
            answer = _problem_answer(problem, seen)
        finally:
            seen.seconds = time.perf_counter() - started
        own = {
            "x-request-id": seen.request_id,
            "server-timing": _timing(seen),
        }
        return HttpAnswer(
            status=answer.status,
            body=answer.body,
            media_type=answer.media_type,
            headers={**answer.headers, **own},
        )

    async def _answer(self, request: HttpRequest, seen: Seen) -> HttpAnswer:
        name = ALIASES.get(request.path, request.path)
        if (endpoint := self.parts.endpoints.get(name)) is not None:
            seen.endpoint = endpoint.path
            _check_method(request, ("POST",))
            return await self._endpoint_answer(request, endpoint, seen)
        path, argument = _split_path(request.path, self.parts.views)
        if path is None:
            raise ProblemError(
                "not-found", 404, f"there is no {request.path[:200]!r}", "see /openapi.json"
            )
        seen.endpoint = path
        view = self.parts.views[path]
        _check_method(request, ("GET", "HEAD"))
        if not view.needs_key:
            return await view.answer(argument)
        with self.parts.guard.admitted(request) as named:
            seen.key = named.name if named else ""
            return await view.answer(argument)

    async def _endpoint_answer(
        self, request: HttpRequest, endpoint: JsonEndpoint, seen: Seen
    ) -> HttpAnswer:
        bounds = self.parts.bounds
        with self.parts.guard.admitted(request) as named, self.parts.watching.in_flight():
            seen.key = named.name if named else ""
            timeout_s = _timeout_s(request, bounds.timeout_s)
            body = await request.body(bounds.body_bytes, self.parts.connection_bounds.body_s)
            call = Call(
                pipelines=self.parts.pipelines,
                key=named,
                timeout_s=timeout_s,
                most_rows=bounds.rows,
                times_stages=bool(request.header("x-stage-times")),
            )
            decoded = self._decoded(endpoint.path, body)
            started = time.perf_counter()
            try:
                work = endpoint.answer(call, decoded)
                found = await request.unless_caller_leaves(work, timeout_s + 1)
            except TimeoutError:
                raise ProblemError(
                    "deadline-exceeded",
                    504,
                    f"there was no answer within {timeout_s:g} s",
                    "allow more time, or send less at once",
                ) from None
            finally:
                seen.model_s = time.perf_counter() - started
                seen.pipeline, seen.rows = call.pipeline, call.rows
                seen.stages = call.stages
            return HttpAnswer(body=msgspec.json.encode(found))

    def _decoded(self, path: str, body: bytes) -> object:
        """The body as the endpoint's request.

        Raises:
            ProblemError: it is no JSON, or not as the endpoint describes it.
        """
        check_strings(body, self.parts.bounds.rows)
        try:
            return self._decoders[path].decode(body)
        except msgspec.ValidationError as error:
            raise ProblemError(
                "not-as-described", 422, f"the body: {error}", _mend_of(path, str(error))
            ) from error
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise ProblemError(
                "not-json", 400, f"the body: {error or 'nested too deeply'}", "send JSON in UTF-8"
            ) from error


def _names_of(request: HttpRequest) -> RequestContext:
    """The id and the trace that the caller gave, where they are in their form."""
    given = {
        "request_id": request.header("x-request-id"),
        "traceparent": request.header("traceparent"),
    }
    kept = {}
    for name, value in given.items():
        with contextlib.suppress(ValueError):
            kept[name] = getattr(RequestContext(**{name: value}), name)
    return RequestContext(
        request_id=kept.get("request_id") or secrets.token_hex(8),
        traceparent=kept.get("traceparent", ""),
    )


def _timeout_s(request: HttpRequest, most_s: float) -> float:
    """The caller's time for the answer, at most the gateway's own.

    OpenAI's clients name theirs in a header of their own.

    Raises:
        ProblemError: it is no number of seconds, or less than a millisecond.
    """
    for name in ("x-request-timeout", "x-stainless-read-timeout"):
        if not (value := request.header(name)):
            continue
        with contextlib.suppress(ValueError):
            if (seconds := float(value)) >= LEAST_TIME_S:
                return min(seconds, most_s)
        if name == "x-request-timeout":
            raise ProblemError(
                "not-as-described",
                400,
                f"X-Request-Timeout is {value[:40]!r}; expected seconds, {LEAST_TIME_S} or more",
                "send a number, as in 2.5",
            )
    return most_s


def _timing(seen: Seen) -> str:
    parts = [f"model;dur={seen.model_s * 1000:.2f}", f"all;dur={seen.seconds * 1000:.2f}"]
    for one in seen.stages:
        parts.append(f'{one.stage};dur={one.seconds * 1000:.2f};desc="{one.requests}"')
    return ", ".join(parts)


def _check_method(request: HttpRequest, allowed: tuple[str, ...]) -> None:
    if request.method not in allowed:
        names = ", ".join(allowed)
        raise ProblemError(
            "method-not-allowed",
            405,
            f"{request.path} takes {names}, not {request.method[:20]}",
            f"send {allowed[0]}",
            {"allow": names},
        )


def _split_path(path: str, views: Mapping[str, PathView]) -> tuple[str | None, str]:
    """The view of a path and the path's rest, which only some views have."""
    if path in views:
        return path, ""
    parent, _, rest = path.rpartition("/")
    if rest and (parent_view := views.get(f"{parent}/{{name}}")) and parent_view:
        return f"{parent}/{{name}}", rest
    return None, ""


def _mend_of(path: str, message: str) -> str:
    if path == "/v1/embeddings" and "got `int`" in message:
        return (
            "send texts, not token ids: in LangChain, OpenAIEmbeddings("
            "check_embedding_ctx_length=False)"
        )
    return f"see the example of {path} in /openapi.json"


def _problem_answer(problem: ProblemError, seen: Seen) -> HttpAnswer:
    seen.problem = problem.name
    return HttpAnswer(
        status=problem.status,
        body=msgspec.json.encode(problem.document(seen.request_id)),
        media_type=PROBLEM_TYPE,
        headers=problem.headers,
    )
