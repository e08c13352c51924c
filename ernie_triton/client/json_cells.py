"""Outputs whose values are JSON lists, as the tasks with positions have them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from ernie_triton.client.wire import Reply
from ernie_triton.errors import ContractError

_T = TypeVar("_T")


def parsed_lists(
    reply: Reply, output: str, parse: Callable[[dict[str, Any]], _T]
) -> list[tuple[_T, ...]]:
    """What a function makes of each object of each row's list; rows may come as [n] or [n, 1].

    Raises:
        ContractError: a value is no such list.
    """
    return [_parsed_list(cell, output, parse) for cell in reply[output].ravel().tolist()]


def _parsed_list(cell: bytes, output: str, parse: Callable[[dict[str, Any]], _T]) -> tuple[_T, ...]:
    try:
        return tuple(parse(record) for record in json.loads(cell))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ContractError(
            f"the model returned {output} {cell[:80]!r}, expected a JSON list as in the wire "
            f"contract ({type(error).__name__}: {error}); name a model that this version built"
        ) from error
