"""Spans of texts that a schema names (UIE)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from ernie_triton.client.tasks.extraction import AsyncExtractionClient, ExtractedSpan
from ernie_triton.gateway.endpoints.endpoint import Call, JsonEndpoint, ModelName, Texts
from ernie_triton.gateway.pipelines import ServedPipeline
from ernie_triton.tasks import EXTRACTION

_Schema = Annotated[
    str | list[Any] | dict[str, Any],
    msgspec.Meta(
        description="As PaddleNLP's Taskflow takes it: a name, an object of names, or a list.",
    ),
]


class ExtractRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Texts, and the schema of what to find in each."""

    input: Texts
    schema: _Schema
    model: ModelName = ""


class ExtractAnswer(msgspec.Struct, kw_only=True):
    """For each text its spans by the schema's names; names without spans are left out."""

    model: str
    results: list[Mapping[str, tuple[ExtractedSpan, ...]]]


async def _answer(call: Call, request: ExtractRequest) -> ExtractAnswer:
    texts = call.list_of(request.input)

    async def extract(served: ServedPipeline) -> ExtractAnswer:
        client = served.client(AsyncExtractionClient, call.timeout_s)
        return ExtractAnswer(model=served.name, results=await client.extract(texts, request.schema))

    return await call.ask(request.model, (EXTRACTION,), extract)


EXTRACT_ENDPOINT = JsonEndpoint(
    path="/v1/extract",
    summary="Find in texts what a schema names.",
    request=ExtractRequest,
    answer_type=ExtractAnswer,
    answer=_answer,
    example={
        "model": "ernie_uie",
        "input": ["王芳在北京大学工作。"],
        "schema": [{"人物": ["工作单位"]}],
    },
    example_answer={
        "model": "ernie_uie",
        "results": [
            {
                "人物": [
                    {
                        "text": "王芳",
                        "start": 0,
                        "end": 2,
                        "probability": 0.98,
                        "relations": {
                            "工作单位": [
                                {
                                    "text": "北京大学",
                                    "start": 3,
                                    "end": 7,
                                    "probability": 0.97,
                                    "relations": {},
                                }
                            ]
                        },
                    }
                ]
            }
        ],
    },
    tasks=(EXTRACTION,),
)
