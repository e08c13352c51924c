"""Prompts, pairs of texts, and queries with their documents: shared by the tasks of vectors.

Stands between `embedding`, `sparse` and `colbert` and `core`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ernie_triton.client.core import Caller, Codec, Row
from ernie_triton.client.tasks.rerank import RankedDocument, Ranking
from ernie_triton.errors import ClientError, ContractError

_R = TypeVar("_R")

_QUERY_PROMPTS = ("query",)
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")
"""The names of the two prompts, in the order in which sentence-transformers looks for them."""


class Found(Protocol):
    """The result of one text."""

    @property
    def truncated(self) -> bool:
        """True if the model saw only its start."""


_T = TypeVar("_T", bound=Found)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolePrompts:
    """The texts that the model wants before queries and before documents; empty for none."""

    query: str = ""
    document: str = ""


async def role_prompts(caller: Caller) -> RolePrompts:
    """The model's prompts for queries and for documents."""
    prompts = (await caller.facts()).prompts
    query, document = (
        next((prompts[name] for name in names if name in prompts), "")
        for names in (_QUERY_PROMPTS, _DOCUMENT_PROMPTS)
    )
    return RolePrompts(query=query, document=document)


async def prompt_named(caller: Caller, name: str | None) -> str:
    """The text of one of the model's prompts; empty without a name.

    Raises:
        ContractError: the model has no such prompt.
    """
    if name is None:
        return ""
    prompts = (await caller.facts()).prompts
    if name not in prompts:
        known = ", ".join(prompts) or "none: build it without a prompt of its own (--prompt '')"
        raise ContractError(f"prompt_name is {name!r}; expected one of the model's ({known})")
    return prompts[name]


def with_prompt(rows: Sequence[Row], prompt: str) -> list[Row]:
    """Rows of one text each, with the prompt before it."""
    before = prompt.encode("utf-8")
    return [(before + text,) for (text,) in rows]


async def pair_outcomes(
    caller: Caller,
    pairs: Sequence[Row],
    codec: Codec[_T],
    combine: Callable[[_T, _T], _R],
    prompts: RolePrompts | None = None,
) -> list[_R | ClientError]:
    """Combine the results of the two texts of each pair, or give the error of one of them.

    Args:
        caller: reaches the model.
        pairs: of texts.
        codec: reads the result of a text.
        combine: makes one result of two.
        prompts: of the first texts, which are queries then, and of the second ones.

    Raises:
        ClientError: a reason that every other request would meet too.
    """
    found = await _outcomes(caller, pairs, codec, prompts or RolePrompts())
    return [one if isinstance(one, ClientError) else combine(*one) for one in found]


async def ranking_by_score(
    caller: Caller, rows: Sequence[Row], codec: Codec[_T], score: Callable[[_T, _T], float]
) -> list[Ranking | ClientError]:
    """Rank the documents of each row, whose first text is the query, or give the error of a text.

    Args:
        caller: reaches the model, whose prompts for queries and documents are used.
        rows: queries with their documents.
        codec: reads the result of a text.
        score: of the results of a query and of a document.

    Raises:
        ClientError: a reason that every other request would meet too.
    """
    found = await _outcomes(caller, rows, codec, await role_prompts(caller))
    return [one if isinstance(one, ClientError) else _ranking(*one, score=score) for one in found]


async def _outcomes(
    caller: Caller, rows: Sequence[Row], codec: Codec[_T], prompts: RolePrompts
) -> list[list[_T] | ClientError]:
    """The results of the texts of each row, or the first error among them."""
    query, document = prompts.query.encode("utf-8"), prompts.document.encode("utf-8")
    texts = [
        ((document if place else query) + text,) for row in rows for place, text in enumerate(row)
    ]
    found = iter(await caller.outcomes(texts, codec))
    joined: list[list[_T] | ClientError] = []
    for row in rows:
        results: list[_T] = []
        error: ClientError | None = None
        for _ in row:
            outcome = next(found)
            if not isinstance(outcome, ClientError):
                results.append(outcome)
            elif error is None:
                error = outcome
        joined.append(error or results)
    return joined


def _ranking(query: _T, *documents: _T, score: Callable[[_T, _T], float]) -> Ranking:
    ranked = [
        RankedDocument(
            index=place,
            score=score(query, document),
            truncated=query.truncated or document.truncated,
        )
        for place, document in enumerate(documents)
    ]
    return tuple(sorted(ranked, key=lambda one: -one.score))
