"""The best option of a question."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ernie_triton.client.tasks.choice import AsyncChoiceClient, ChosenOption
from ernie_triton.gateway.endpoints.endpoint import Call, JsonEndpoint, ModelName
from ernie_triton.gateway.pipelines import ServedPipeline
from ernie_triton.tasks import CHOICE


class ChooseRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A question about a context, and the options to answer it with."""

    options: Annotated[list[str], msgspec.Meta(min_length=CHOICE.fewest)]
    context: str = ""
    question: str = ""
    model: ModelName = ""


class ChooseAnswer(msgspec.Struct, kw_only=True):
    """The best option, and the probability of each in the order sent."""

    model: str
    index: int
    option: str
    probabilities: tuple[float, ...]
    scores: tuple[float, ...]
    truncated: tuple[bool, ...]


async def _answer(call: Call, request: ChooseRequest) -> ChooseAnswer:
    options = call.list_of(request.options)

    async def choose(served: ServedPipeline) -> ChosenOption:
        client = served.client(AsyncChoiceClient, call.timeout_s)
        return await client.choose(request.context, request.question, options)

    found = await call.ask(request.model, (CHOICE,), choose)
    return ChooseAnswer(
        model=call.pipeline,
        index=found.index,
        option=found.option,
        probabilities=found.probabilities,
        scores=found.scores,
        truncated=found.truncated,
    )


CHOOSE_ENDPOINT = JsonEndpoint(
    path="/v1/choose",
    summary="Choose the option that answers a question.",
    request=ChooseRequest,
    answer_type=ChooseAnswer,
    answer=_answer,
    example={
        "model": "ernie_choice",
        "context": "男：房间很干净。女：但是早餐不好吃。",
        "question": "女的觉得什么不好？",
        "options": ["房间", "早餐"],
    },
    example_answer={
        "model": "ernie_choice",
        "index": 1,
        "option": "早餐",
        "probabilities": [0.04, 0.96],
        "scores": [-1.2, 2.1],
        "truncated": [False, False],
    },
    tasks=(CHOICE,),
)
