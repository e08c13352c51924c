"""An endpoint as data: its path, what it takes and returns, and the call that answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec

from ernie_triton.gateway.guard.guard import check_pipeline
from ernie_triton.gateway.guard.keys import NamedKey
from ernie_triton.gateway.http import too_many_rows
from ernie_triton.gateway.pipelines import Pipelines, ServedPipeline
from ernie_triton.gateway.problems import ProblemError
from ernie_triton.gateway.stage_times import StageTime
from ernie_triton.tasks import Task

_T = TypeVar("_T")

Texts = str | Annotated[list[str], msgspec.Meta(min_length=1)]
"""One text, or several."""

ModelName = Annotated[
    str,
    msgspec.Meta(
        description="The pipeline, one of `/v1/models`. Empty: the only one of the task, or the "
        "one of the task's default name.",
        max_length=256,
    ),
]


@dataclass(slots=True, kw_only=True)
class Call:
    """One request on its way to a pipeline.

    Attributes:
        pipelines: all there are.
        key: the caller's; None where there are no keys.
        timeout_s: until the answer.
        most_rows: allowed in a request.
        pipeline: the one that answered, for the log.
        rows: of the request, for the log.
        times_stages: the caller wants the time of each stage.
        stages: those times, once there is an answer.
    """

    pipelines: Pipelines
    key: NamedKey | None
    timeout_s: float
    most_rows: int
    pipeline: str = ""
    rows: int = 0
    times_stages: bool = False
    stages: Sequence[StageTime] = ()

    def list_of(self, texts: str | Sequence[str]) -> list[str]:
        """The texts as a list.

        Raises:
            ProblemError: there are more than allowed.
        """
        rows = [texts] if isinstance(texts, str) else list(texts)
        self.rows = len(rows)
        if len(rows) > self.most_rows:
            raise too_many_rows(f"{len(rows):,} texts", self.most_rows)
        return rows

    async def ask(
        self,
        name: str,
        tasks: Sequence[Task],
        question: Callable[[ServedPipeline], Awaitable[_T]],
    ) -> _T:
        """Ask a pipeline of these tasks.

        Raises:
            ProblemError: there is none, or the key is not for it.
            ClientError: it does not answer.
        """
        self.pipeline = self.pipelines.named(name, tasks)[0].name
        check_pipeline(self.key, self.pipeline)
        if not self.times_stages:
            return await self.pipelines.ask(self.pipeline, tasks, question)

        async def timed(served: ServedPipeline) -> _T:
            result, self.stages = await served.stage_times.around(question(served))
            return result

        return await self.pipelines.ask(self.pipeline, tasks, timed)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonEndpoint:
    """One path that takes JSON and returns JSON.

    Attributes:
        path: from the root.
        summary: one line for the document of the API.
        request: type of the body.
        answer_type: type of the answer.
        answer: makes the answer.
        example: a body, as JSON has it.
        example_answer: what it is answered.
        tasks: of the pipelines that it asks.
    """

    path: str
    summary: str
    request: type[msgspec.Struct]
    answer_type: Any
    answer: Callable[[Call, Any], Coroutine[Any, Any, object]]
    example: Mapping[str, object]
    example_answer: Mapping[str, object]
    tasks: tuple[Task, ...]


def as_many(texts: Sequence[str], others: str | Sequence[str], names: tuple[str, str]) -> list[str]:
    """The second texts, as many as the first: one serves all.

    Raises:
        ProblemError: there are several, and another number of them.
    """
    others = [others] if isinstance(others, str) else others
    if len(others) == 1:
        return list(others) * len(texts)
    if len(others) == len(texts):
        return list(others)
    raise ProblemError(
        "not-as-described",
        422,
        f"`{names[0]}` has {len(texts)} texts and `{names[1]}` {len(others)}",
        "give as many of each, or one second text for all",
    )


def second_texts(texts: Sequence[str], given: str | Sequence[str] | None) -> list[str] | None:
    """The second texts of a request, by the rule of `as_many`; None for single texts."""
    return None if given is None else as_many(texts, given, ("input", "pair"))


def check_pair(served: ServedPipeline, pairs: Sequence[str] | None) -> None:
    """Refuse pairs for a pipeline of single texts, and single texts for one of pairs.

    Raises:
        ProblemError: they are.
    """
    if served.is_pair and pairs is None:
        raise ProblemError(
            "not-as-described",
            422,
            f"the pipeline {served.name!r} takes pairs of texts; `pair` is missing",
            "give the second texts as `pair`",
        )
    if not served.is_pair and pairs is not None:
        raise ProblemError(
            "not-as-described",
            422,
            f"the pipeline {served.name!r} takes single texts; `pair` was given",
            "leave `pair` out, or name a pipeline of pairs as `model`",
        )
