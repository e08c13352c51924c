"""Lines of the log in both forms, and the settings that choose between them."""

import json

import pytest

from ernie_triton.errors import UsageError
from ernie_triton.log_lines import is_log_line, log_line
from ernie_triton.log_settings import LogSettings

TIME_S = 1_764_430_821.5  # 2025-11-29 15:40:21.5 UTC
FIELDS = {"request_id": "a 7", "rows": 2, "texts": ["央行\n降息"], "error": 'no "b"', "empty": ""}


def test_a_line_of_json_is_one_object_with_the_time_and_the_event_first() -> None:
    line = log_line("json", TIME_S, "request", FIELDS)
    assert len(line.splitlines()) == 1
    found = json.loads(line)
    assert list(found) == ["time", "event", *FIELDS]
    assert found["time"] == "2025-11-29T15:40:21.500000Z"
    assert {name: found[name] for name in FIELDS} == FIELDS
    assert "央行" in line


def test_a_line_of_text_quotes_what_is_more_than_a_word() -> None:
    assert log_line("text", TIME_S, "request", FIELDS) == (
        'time=2025-11-29T15:40:21.500000Z event=request request_id="a 7" rows=2 '
        'texts=["央行\\n降息"] error="no \\"b\\"" empty=""'
    )


def test_lines_of_the_log_are_known_from_those_of_the_server() -> None:
    for form in ("json", "text"):
        assert is_log_line(log_line(form, TIME_S, "request", {}))
    assert not is_log_line('E1121 22:35:10.522523 2784 server.cc:241] "time=1"')


@pytest.mark.parametrize(
    "settings",
    [
        LogSettings(),
        LogSettings(form="json", requests="failed"),
        LogSettings(form="text", requests="all", texts=True),
    ],
)
def test_settings_come_back_from_the_environment(settings: LogSettings) -> None:
    assert LogSettings.from_environment(settings.to_environment()) == settings


def test_requests_are_logged_by_default_in_json_alone() -> None:
    assert LogSettings.from_environment({}).requests == "none"
    assert LogSettings.from_environment({"ERNIE_TRITON_LOG_FORMAT": "json"}).requests == "all"


@pytest.mark.parametrize("name", ["FORMAT", "REQUESTS", "TEXTS"])
def test_an_unknown_value_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UsageError, match=f"ERNIE_TRITON_LOG_{name} is 'loud'; expected one of"):
        LogSettings.from_environment({f"ERNIE_TRITON_LOG_{name}": "loud"})
