"""The document of the API (OpenAPI 3.1), made of the table of endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ernie_triton.gateway.endpoints.endpoint import JsonEndpoint
from ernie_triton.gateway.http import JSON_TYPE, HttpAnswer
from ernie_triton.gateway.problems import PROBLEM_TYPE
from ernie_triton.gateway.settings import LEAST_TIME_S
from ernie_triton.gateway.views import PathView, fixed_view

_PROBLEMS: Mapping[str, str] = {
    "400": "The body is no JSON, or a header is not in its form.",
    "401": "The key is missing or unknown.",
    "403": "The key is not for this pipeline.",
    "404": "There is no such pipeline.",
    "408": "The body came too slowly.",
    "413": "The body is too large, or has too many texts.",
    "415": "The body is encoded.",
    "422": "The body is not as described, or the pipeline refused it.",
    "429": "The key's rate or concurrency is used up.",
    "502": "The pipeline answers otherwise than expected.",
    "503": "The pipeline's server is away or full, or the gateway is.",
    "504": "There was no answer in time.",
}
_PROBLEM_SCHEMA: Mapping[str, object] = {
    "title": "Problem",
    "description": "RFC 9457, with `mend`: what to do; and `request_id`: as in the logs.",
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "mend": {"type": "string"},
        "request_id": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail", "mend", "request_id"],
}
_HEADERS = [
    {
        "name": "X-Request-Id",
        "in": "header",
        "description": "The request's name in logs and traces, 1 to 128 visible characters of "
        "ASCII; another is replaced by a random one.",
        "schema": {"type": "string"},
    },
    {
        "name": "X-Request-Timeout",
        "in": "header",
        "description": "Seconds until the answer; the server's deadline too.",
        "schema": {"type": "number", "minimum": LEAST_TIME_S},
    },
]


def openapi_view(endpoints: Mapping[str, JsonEndpoint], views: Mapping[str, PathView]) -> PathView:
    """The document at its path."""
    body = msgspec.json.encode(openapi_document(endpoints, views))
    return fixed_view(HttpAnswer(body=body), "Describe this API.")


def openapi_document(
    endpoints: Mapping[str, JsonEndpoint], views: Mapping[str, PathView]
) -> dict[str, Any]:
    """The document: every endpoint with its types and examples, every view with a summary."""
    kinds = [kind for one in endpoints.values() for kind in (one.request, one.answer_type)]
    schemas, components = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, Any] = {}
    for place, (path, endpoint) in enumerate(endpoints.items()):
        request, answer = schemas[2 * place : 2 * place + 2]
        paths[path] = {"post": _operation(endpoint, request, answer)}
    for path, view in views.items():
        if view.summary:
            paths[path] = {"get": _view_operation(path, view)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ernie-triton gateway",
            "version": "1",
            "description": "Fine-tuned Chinese language models over HTTP with JSON.",
        },
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM_SCHEMA},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"key": []}],
    }


def _operation(endpoint: JsonEndpoint, request: object, answer: object) -> dict[str, Any]:
    return {
        "operationId": endpoint.path.strip("/").replace("/", "_"),
        "summary": endpoint.summary,
        "parameters": _HEADERS,
        "requestBody": {
            "required": True,
            "content": {JSON_TYPE: {"schema": request, "example": endpoint.example}},
        },
        "responses": {
            "200": {
                "description": "The answer.",
                "content": {JSON_TYPE: {"schema": answer, "example": endpoint.example_answer}},
            },
            **{status: _problem(text) for status, text in _PROBLEMS.items()},
        },
    }


def _view_operation(path: str, view: PathView) -> dict[str, Any]:
    parameters = []
    if path.endswith("/{name}"):
        schema = {"type": "string", "minLength": 1, "pattern": "^[^/?#%]+$"}
        parameters = [{"name": "name", "in": "path", "required": True, "schema": schema}]
    answer = {"description": "The answer.", "content": {JSON_TYPE: {"schema": {"type": "object"}}}}
    responses: dict[str, Any] = {"200": answer, "404": _problem(_PROBLEMS["404"])}
    if path.startswith("/health/ready"):
        responses["503"] = {**answer, "description": "A pipeline does not answer."}
    if view.needs_key:
        responses |= {status: _problem(_PROBLEMS[status]) for status in ("401", "429", "503")}
    name = path.strip("/").replace("/", "_").replace("{name}", "one").replace(".", "_")
    return {
        "operationId": name,
        "summary": view.summary,
        "parameters": parameters,
        "responses": responses,
    }


def _problem(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {PROBLEM_TYPE: {"schema": schema}}}
