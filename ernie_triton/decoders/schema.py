"""Schemas of information extraction: PaddleNLP's JSON to a tree of names, within limits.

A name is what to look for; the names under it are asked again of each span that was found. The
forms are those of PaddleNLP's Taskflow: a name, an object of names, or a list of both.
"""

import json
from dataclasses import dataclass

from ernie_triton.errors import SchemaError

_EXAMPLE = '["人物", {"公司": ["创始人", "成立时间"]}, "情感倾向[正向,负向]"]'
_SHOWN = 40
_KINDS = {
    list: "a list",
    bool: "true or false",
    int: "a number",
    float: "a number",
    dict: "an object",
}


@dataclass(frozen=True, slots=True)
class SchemaNode:
    """A name of a schema, and the names that are asked of each of its spans."""

    name: str
    children: "tuple[SchemaNode, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaLimits:
    """The largest schema of a text.

    Attributes:
        names: most names.
        depth: most names under each other.
        characters: most characters of a name.
    """

    names: int
    depth: int
    characters: int


def parse_schema(text: str, limits: SchemaLimits) -> tuple[SchemaNode, ...]:
    """Read a schema from JSON.

    Raises:
        SchemaError: it is no JSON, has another form than PaddleNLP's, or exceeds a limit.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise SchemaError(f"the schema is not JSON: {error}; send one like {_EXAMPLE}") from error
    except RecursionError as error:
        raise SchemaError(f"the schema is nested too deeply; {_at_most(limits)}") from error
    reader = _Reader(limits)
    return reader.nodes(values if isinstance(values, list) else [values], "", 1)


class _Reader:
    """Counts the names of one schema while it reads them."""

    def __init__(self, limits: SchemaLimits) -> None:
        self._limits = limits
        self._names = 0

    def nodes(self, values: list[object], under: str, depth: int) -> tuple[SchemaNode, ...]:
        if not values and not under:
            raise SchemaError(f"the schema is empty; send one like {_EXAMPLE}")
        if values and depth > self._limits.depth:
            raise SchemaError(
                f"the schema has names under {_shown(under)}, more than {self._limits.depth} deep; "
                f"{_at_most(self._limits)}"
            )
        found: list[SchemaNode] = []
        for value in values:
            if isinstance(value, str):
                found.append(self._node(value, [], under, depth))
            elif isinstance(value, dict):
                for name, children in value.items():
                    found.append(self._node(name, _children(name, children), under, depth))
            else:
                raise _wrong(value, under, "a name, or an object of names")
        return tuple(found)

    def _node(self, name: str, children: list[object], under: str, depth: int) -> SchemaNode:
        where = f" under {_shown(under)}" if under else ""
        if not name.strip():
            raise SchemaError(f"the schema has an empty name{where}; expected what to look for")
        if not name.isprintable() and any("\ud800" <= c <= "\udfff" for c in name):
            raise SchemaError(f"the schema has a name with half a character{where}; send UTF-8")
        if len(name) > self._limits.characters:
            raise SchemaError(
                f"the schema's name {_shown(name)} has {len(name)} characters; expected at most "
                f"{self._limits.characters}"
            )
        self._names += 1
        if self._names > self._limits.names:
            raise SchemaError(f"the schema is too large; {_at_most(self._limits)}")
        return SchemaNode(name, self.nodes(children, name, depth + 1))


def _children(name: str, value: object) -> list[object]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return value
    raise _wrong(value, name, "a name, or a list of names")


def _wrong(value: object, under: str, expected: str) -> SchemaError:
    kind = _KINDS.get(type(value), "null")
    where = f" under {_shown(under)}" if under else ""
    return SchemaError(
        f"the schema has {kind}{where}, {_shown(json.dumps(value, ensure_ascii=False))}; expected "
        f"{expected}; send one like {_EXAMPLE}"
    )


def _at_most(limits: SchemaLimits) -> str:
    return (
        f"at most {limits.names} names, {limits.depth} deep, are allowed: send several requests, "
        f"or build with a larger --max-schema-names or --max-schema-depth"
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
