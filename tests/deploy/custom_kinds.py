"""JSON schemas of kinds that Kubernetes does not have, from packages with their Python models.

The models were generated from the projects' own definitions. They are read, not imported: each
would want a package of its own.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Schema = dict[str, Any]

_PLAIN = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "dict": "object",
    "Dict": "object",
    "list": "array",
    "List": "array",
}


def pydantic_schema(source: str, kind: str) -> Schema:
    """The schema of a kind from a module of pydantic models: names, types, and what is required."""
    definitions = {}
    for model in _classes(source):
        fields = [node for node in model.body if isinstance(node, ast.AnnAssign)]
        names = [_alias(field.annotation) or ast.unparse(field.target) for field in fields]
        definitions[model.name] = _object(
            {name: field.annotation for name, field in zip(names, fields, strict=True)},
            [name for name, field in zip(names, fields, strict=True) if field.value is None],
        )
    return _of_kind(kind, definitions)


def openapi_schema(sources: Iterable[str], kind: str) -> Schema:
    """The schema of a kind from modules of OpenAPI Generator: names and types."""
    definitions = {}
    for model in (model for source in sources for model in _classes(source)):
        found = {
            ast.unparse(node.targets[0]): ast.literal_eval(node.value)
            for node in model.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
        }
        keys: Mapping[str, str] = found.get("attribute_map", {})
        types = {
            keys[name]: ast.parse(text, mode="eval").body
            for name, text in found.get("openapi_types", {}).items()
        }
        definitions[model.name] = _object(types, [])
    return _of_kind(kind, definitions)


def _of_kind(kind: str, definitions: Mapping[str, Schema]) -> Schema:
    named = re.findall(r'"#/definitions/(\w+)"', json.dumps(definitions))
    others = dict.fromkeys(named, True)  # Kubernetes' own, such as a container
    return {"$ref": f"#/definitions/{kind}", "definitions": {**others, **definitions}}


def _classes(source: str) -> Iterator[ast.ClassDef]:
    return (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))


def _object(fields: Mapping[str, ast.expr], required: list[str]) -> Schema:
    properties = {name: _type(annotation) for name, annotation in fields.items()}
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _type(node: ast.expr) -> Schema:
    """The schema of an annotation such as `Optional[List[Trigger]]` or `list[V1Container]`."""
    if isinstance(node, ast.Name):
        return _named(node.id)
    if isinstance(node, ast.Call):  # dict(str, str)
        return {"type": "object"}
    if not isinstance(node, ast.Subscript):  # a class of Kubernetes' own
        return {}
    name, inner = ast.unparse(node.value), node.slice
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if name in ("Optional", "Annotated"):
        return _type(parts[0])
    if name == "Union":
        return {"anyOf": [_type(part) for part in parts]}
    if name == "Literal":
        return {"enum": [ast.literal_eval(part) for part in parts]}
    if _PLAIN[name] == "array":
        return {"type": "array", "items": _type(parts[0])}
    return {"type": "object", "additionalProperties": _type(parts[1])}


def _named(name: str) -> Schema:
    if name in _PLAIN:
        return {"type": _PLAIN[name]}
    return {} if name in ("Any", "datetime", "object") else {"$ref": f"#/definitions/{name}"}


def _alias(annotation: ast.expr) -> str | None:
    """The name of a field in a manifest, where it is not its name in Python."""
    for node in ast.walk(annotation):
        if isinstance(node, ast.keyword) and node.arg == "alias":
            return str(ast.literal_eval(node.value))
    return None
