"""Lines of the log: an event as one JSON object, or as `name=value` for a reader."""

import functools
import json
import time
from collections.abc import Mapping

_STARTS = ('{"time": "', "time=")
_json = json.JSONEncoder(ensure_ascii=False).encode  # `json.dumps` makes one anew for each call


def log_line(form: str, time_s: float, event: str, fields: Mapping[str, object]) -> str:
    """One line without its end.

    Args:
        form: `json` or `text`.
        time_s: seconds since 1970.
        event: what happened, as one word.
        fields: the rest, in order; values are numbers, strings, booleans or lists of strings.
    """
    whole = {"time": _utc(time_s), "event": event, **fields}
    if form == "json":
        return _json(whole)
    return " ".join(f"{name}={_shown(value)}" for name, value in whole.items())


def is_log_line(line: str) -> bool:
    """Return True for a line that `log_line` made."""
    return line.startswith(_STARTS)


def _utc(time_s: float) -> str:
    """The time as in ISO 8601, with microseconds."""
    microseconds = round(time_s * 1e6)
    return f"{_utc_second(microseconds // 1_000_000)}.{microseconds % 1_000_000:06d}Z"


@functools.lru_cache(maxsize=4)
def _utc_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _shown(value: object) -> str:
    """The value as it is where it is one word, in JSON's quotes where it is not."""
    if not isinstance(value, str):
        return _json(value)
    is_word = value.isprintable() and value and not set(value) & set(' "=')
    return value if is_word else _json(value)
