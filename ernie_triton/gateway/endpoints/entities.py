"""Entities of texts, with the characters they stand at."""

from __future__ import annotations

import msgspec

from ernie_triton.client.tasks.token_cls import AsyncTokenClsClient, Entity
from ernie_triton.gateway.endpoints.endpoint import Call, JsonEndpoint, ModelName, Texts
from ernie_triton.gateway.pipelines import ServedPipeline
from ernie_triton.tasks import TOKEN_CLS


class EntitiesRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Texts to find entities in."""

    input: Texts
    model: ModelName = ""


class TextEntities(msgspec.Struct, kw_only=True):
    """The entities of one text, in its order."""

    entities: tuple[Entity, ...]


class EntitiesAnswer(msgspec.Struct, kw_only=True):
    """The entities of each text; `start` and `end` count characters, the end excluded."""

    model: str
    results: list[TextEntities]


async def _answer(call: Call, request: EntitiesRequest) -> EntitiesAnswer:
    texts = call.list_of(request.input)

    async def find(served: ServedPipeline) -> EntitiesAnswer:
        found = await served.client(AsyncTokenClsClient, call.timeout_s).entities(texts)
        results = [TextEntities(entities=entities) for entities in found]
        return EntitiesAnswer(model=served.name, results=results)

    return await call.ask(request.model, (TOKEN_CLS,), find)


ENTITIES_ENDPOINT = JsonEndpoint(
    path="/v1/entities",
    summary="Find entities in texts.",
    request=EntitiesRequest,
    answer_type=EntitiesAnswer,
    answer=_answer,
    example={"model": "ernie_tokencls", "input": ["新华社记者王芳从上海报道"]},
    example_answer={
        "model": "ernie_tokencls",
        "results": [
            {"entities": [{"text": "新华社", "label": "ORG", "start": 0, "end": 3, "score": 0.98}]}
        ],
    },
    tasks=(TOKEN_CLS,),
)
