"""Labels of texts or pairs: the likeliest one, or every one that applies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from ernie_triton.client.tasks.multi_label import AsyncMultiLabelClient
from ernie_triton.client.tasks.seq_cls import AsyncSeqClsClient, Label
from ernie_triton.gateway.endpoints.endpoint import (
    Call,
    JsonEndpoint,
    ModelName,
    Texts,
    check_pair,
    second_texts,
)
from ernie_triton.gateway.pipelines import ServedPipeline
from ernie_triton.tasks import MULTI_LABEL, SEQ_CLS

_MOST_LABELS = 100_000


class ClassifyRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Texts, or pairs of texts, to classify."""

    input: Texts
    pair: Texts | None = None
    model: ModelName = ""
    top_k: Annotated[int, msgspec.Meta(ge=1, le=_MOST_LABELS)] = 1


class TextLabels(msgspec.Struct, kw_only=True):
    """The labels of one text, best first; `likeliest` only where several labels may apply."""

    labels: tuple[Label, ...]
    truncated: bool
    likeliest: tuple[Label, ...] | msgspec.UnsetType = msgspec.UNSET


class ClassifyAnswer(msgspec.Struct, kw_only=True):
    """The labels of each text."""

    model: str
    task: str
    results: list[TextLabels]


async def _answer(call: Call, request: ClassifyRequest) -> ClassifyAnswer:
    texts = call.list_of(request.input)
    pairs = second_texts(texts, request.pair)

    async def classify(served: ServedPipeline) -> ClassifyAnswer:
        check_pair(served, pairs)
        return ClassifyAnswer(
            model=served.name,
            task=served.task.name,
            results=await _results(call, served, texts, pairs, request.top_k),
        )

    return await call.ask(request.model, CLASSIFY_ENDPOINT.tasks, classify)


async def _results(
    call: Call,
    served: ServedPipeline,
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    top_k: int,
) -> list[TextLabels]:
    if served.task.name == MULTI_LABEL.name:
        every = served.client(AsyncMultiLabelClient, call.timeout_s)
        return [
            TextLabels(labels=one.labels, likeliest=one.likeliest, truncated=one.truncated)
            for one in await every.classify(texts, pairs, top_k=top_k)
        ]
    [count] = served.facts.outputs["scores"]
    best = served.client(AsyncSeqClsClient, call.timeout_s)
    found = await best.classify(texts, pairs, top_k=min(top_k, max(count, 1)))
    return [TextLabels(labels=one.labels, truncated=one.truncated) for one in found]


CLASSIFY_ENDPOINT = JsonEndpoint(
    path="/v1/classify",
    summary="Classify texts or pairs of texts.",
    request=ClassifyRequest,
    answer_type=ClassifyAnswer,
    answer=_answer,
    example={"model": "ernie_seqcls", "input": ["央行降息"], "top_k": 1},
    example_answer={
        "model": "ernie_seqcls",
        "task": "seq_cls",
        "results": [
            {"labels": [{"name": "news_finance", "id": 2, "score": 0.87}], "truncated": False}
        ],
    },
    tasks=(SEQ_CLS, MULTI_LABEL),
)
