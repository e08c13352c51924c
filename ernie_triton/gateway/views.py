"""Paths that are only read: health, the models, the document of the API, and the page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files

import msgspec

from ernie_triton.gateway.http import HttpAnswer
from ernie_triton.gateway.pipelines import Pipelines, ServedPipeline
from ernie_triton.gateway.problems import ProblemError

_PAGE_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_PAGE_HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PathView:
    """A path without a body.

    Attributes:
        answer: makes the answer, of the rest of the path where it has one.
        summary: one line for the document of the API.
        needs_key: whether a caller needs a key, where there are keys.
    """

    answer: Callable[[str], Awaitable[HttpAnswer]]
    summary: str = ""
    needs_key: bool = False


def pipeline_views(pipelines: Pipelines) -> dict[str, PathView]:
    """Health and the models, by path."""
    return {
        "/health/live": PathView(answer=_live, summary="Say that this worker answers."),
        "/health/ready": PathView(
            answer=partial(_ready, pipelines), summary="Say of each pipeline whether it answers."
        ),
        "/health/ready/{name}": PathView(
            answer=partial(_ready_one, pipelines), summary="Say whether one pipeline answers."
        ),
        "/v1/models": PathView(
            answer=partial(_models, pipelines), summary="List the pipelines.", needs_key=True
        ),
        "/v1/models/{name}": PathView(
            answer=partial(_model, pipelines), summary="Describe one pipeline.", needs_key=True
        ),
    }


def page_views() -> dict[str, PathView]:
    """The page and its parts, by path; read once."""
    folder = files("ernie_triton.gateway") / "page"
    views = {}
    for file in folder.iterdir():
        kind = file.name.rpartition(".")[2]
        if kind in _PAGE_TYPES:
            answer = HttpAnswer(
                body=file.read_bytes(), media_type=_PAGE_TYPES[kind], headers=_PAGE_HEADERS
            )
            path = "/" if file.name == "index.html" else f"/page/{file.name}"
            views[path] = fixed_view(answer)
    return views


def fixed_view(answer: HttpAnswer, summary: str = "") -> PathView:
    """A view with always the same answer."""

    async def answered(_: str) -> HttpAnswer:
        return answer

    return PathView(answer=answered, summary=summary)


async def _live(_: str) -> HttpAnswer:
    return HttpAnswer(body=b'{"live":true}')


async def _ready(pipelines: Pipelines, _: str) -> HttpAnswer:
    """503 where a pipeline does not answer, or where there is none."""
    states = {name: _state(served) for name, served in pipelines.by_name().items()}
    is_ready = bool(states) and all(state["ready"] for state in states.values())
    body = msgspec.json.encode({"ready": is_ready, "pipelines": states})
    return HttpAnswer(status=200 if is_ready else 503, body=body)


async def _ready_one(pipelines: Pipelines, name: str) -> HttpAnswer:
    state = _state(_found(pipelines, name))
    return HttpAnswer(status=200 if state["ready"] else 503, body=msgspec.json.encode(state))


async def _models(pipelines: Pipelines, _: str) -> HttpAnswer:
    data = [_description(name, served) for name, served in pipelines.by_name().items()]
    return HttpAnswer(body=msgspec.json.encode({"object": "list", "data": data}))


async def _model(pipelines: Pipelines, name: str) -> HttpAnswer:
    return HttpAnswer(body=msgspec.json.encode(_description(name, _found(pipelines, name))))


def _found(pipelines: Pipelines, name: str) -> tuple[ServedPipeline, ...]:
    served = pipelines.by_name().get(name)
    if served is None:
        there = ", ".join(pipelines.by_name()) or "none"
        raise ProblemError(
            "unknown-pipeline",
            404,
            f"there is no pipeline {name[:200]!r}; there are: {there}",
            "name one of /v1/models",
        )
    return served


def _state(served: tuple[ServedPipeline, ...]) -> dict[str, object]:
    """Ready where one server of the pipeline answers."""
    answering = sum(not one.fault for one in served)
    return {"ready": answering > 0, "servers": len(served), "answering": answering}


def _description(name: str, served: tuple[ServedPipeline, ...]) -> Mapping[str, object]:
    facts = served[0].facts
    return {
        "id": name,
        "object": "model",
        "created": served[0].found_s,
        "owned_by": "ernie-triton",
        "task": served[0].task.name,
        "inputs": facts.inputs,
        "max_batch_size": facts.max_batch_size,
        **_state(served),
    }
