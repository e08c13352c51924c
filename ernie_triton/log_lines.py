"""Lines of the log: an event as one JSON object, or as `name=value` for a reader."""

import json
from collections.abc import Mapping
from datetime import datetime, timezone

_STARTS = ('{"time": "', "time=")


def log_line(form: str, time_s: float, event: str, fields: Mapping[str, object]) -> str:
    """One line without its end.

    Args:
        form: `json` or `text`.
        time_s: seconds since 1970.
        event: what happened, as one word.
        fields: the rest, in order; values are numbers, strings, booleans or lists of strings.
    """
    time = datetime.fromtimestamp(time_s, timezone.utc).isoformat(timespec="microseconds")
    whole = {"time": time.replace("+00:00", "Z"), "event": event, **fields}
    if form == "json":
        return json.dumps(whole, ensure_ascii=False)
    return " ".join(f"{name}={_shown(value)}" for name, value in whole.items())


def is_log_line(line: str) -> bool:
    """Return True for a line that `log_line` made."""
    return line.startswith(_STARTS)


def _shown(value: object) -> str:
    """The value as it is where it is one word, in JSON's quotes where it is not."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    is_word = text.isprintable() and text and not set(text) & set(' "=')
    return text if is_word or not isinstance(value, str) else json.dumps(text, ensure_ascii=False)
