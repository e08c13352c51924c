"""Read dataclasses strictly from TOML: unknown keys, missing keys and wrong types are refused.

The dataclass is the description: its fields are the keys, defaults make them optional, and
`__post_init__` checks the values.
"""

import dataclasses
import os
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ernie_triton.errors import ErnieTritonError, TextFileError
from ernie_triton.text_files import read_text_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_Described = TypeVar("_Described")


def read_described(cls: type[_Described], path: Path, error: type[ErnieTritonError]) -> _Described:
    """Read a dataclass from a TOML file; paths in it are relative to the file.

    Args:
        cls: a dataclass of strings, numbers, booleans, paths, mappings, tuples of these, and
            further such dataclasses.
        path: the file.
        error: the class to raise, also of the dataclass's own checks.
    """
    try:
        content = tomllib.loads(read_text_file(path))
    except (TextFileError, tomllib.TOMLDecodeError) as reason:
        raise error(f"{path} cannot be read as TOML: {reason}") from reason
    try:
        return _from_table(cls, content, path.parent, error)
    except error as reason:
        raise error(f"{path}: {reason}") from reason


def _from_table(
    cls: type[_Described], table: Mapping[str, Any], base: Path, error: type[ErnieTritonError]
) -> _Described:
    hints = get_type_hints(cls)
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in hints or key.startswith("_"):
            known = ", ".join(field.name for field in fields)
            raise error(f"unknown key {key!r}; known are {known}")
        values[key] = _typed(key, value, hints[key], base, error)
    for field in fields:
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if required and field.name not in values:
            raise error(f"the key {field.name!r} is missing")
    return cls(**values)


def _typed(key: str, value: Any, wanted: Any, base: Path, error: type[ErnieTritonError]) -> Any:  # noqa: ANN401
    if get_origin(wanted) in (Union, types.UnionType):
        wanted = next(kind for kind in get_args(wanted) if kind is not type(None))
    if wanted is Path and isinstance(value, str):
        return Path(os.path.normpath(base / Path(value).expanduser()))
    if get_origin(wanted) is Mapping and isinstance(value, dict):
        kind = get_args(wanted)[1]
        return {
            name: _typed(f"{key}.{name}", entry, kind, base, error) for name, entry in value.items()
        }
    if get_origin(wanted) is tuple and isinstance(value, list):
        kind = get_args(wanted)[0]
        return tuple(
            _typed(f"{key}[{place}]", entry, kind, base, error) for place, entry in enumerate(value)
        )
    if wanted is float and type(value) is int:
        return float(value)
    if dataclasses.is_dataclass(wanted) and isinstance(value, Mapping):
        return _from_table(wanted, value, base, error)  # type: ignore[arg-type]
    if type(value) is not wanted:
        kind = "a list" if get_origin(wanted) is tuple else getattr(wanted, "__name__", wanted)
        raise error(f"{key} is {value!r}; expected {kind}")
    return value
