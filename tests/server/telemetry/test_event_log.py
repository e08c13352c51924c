"""The log of `serve`: what it keeps of the server's lines, in both forms, and its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.errors import ServerError
from ernie_triton.log_settings import LogSettings
from ernie_triton.server.telemetry.event_log import EventLog

ERROR = 'E1121 22:35:10.522523 2784 server.cc:241] "the stage is gone"'
INFO = 'I1121 22:35:10.522523 2784 server.cc:241] "all is well"'
REQUEST = '{"time": "2026-11-29T15:40:21.500Z", "event": "request", "outcome": "answered"}'
LINES = (ERROR, INFO, REQUEST, "a library's own line")


def written(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_in_text_the_server_s_errors_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    log = EventLog(LogSettings())
    log.server_line(ERROR)  # the failed start tells it
    log.server_ready()
    for line in LINES:
        log.server_line(line)
    log.event("ready", url="127.0.0.1:8001")
    log.event("stopped", "stopped")
    assert written(capsys) == [ERROR, REQUEST, "stopped"]


def test_in_json_every_line_is_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    log = EventLog(LogSettings(form="json"), verbose=True)
    for line in LINES:
        log.server_line(line)
    log.event("ready", url="127.0.0.1:8001")
    events: list[dict[str, Any]] = [json.loads(line) for line in written(capsys)]
    assert [event["event"] for event in events] == [
        *("server_log", "server_log", "request", "server_log", "ready")
    ]
    error, info, _, plain, ready = events
    assert (error["level"], error["source"]) == ("error", "server.cc:241")
    assert (error["message"], info["level"]) == ("the stage is gone", "info")
    assert plain["message"] == "a library's own line"
    assert ready["url"] == "127.0.0.1:8001"


def test_a_file_that_was_renamed_is_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "serve.log"
    log = EventLog(LogSettings(form="json"), file=file)
    log.event("ready")
    file.rename(tmp_path / "serve.log.1")
    log.event("stopped")
    log.close()
    assert json.loads(file.read_text(encoding="utf-8"))["event"] == "stopped"
    assert json.loads((tmp_path / "serve.log.1").read_text(encoding="utf-8"))["event"] == "ready"
    assert written(capsys) == []


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"none/serve\.log cannot be written \(No such file"):
        EventLog(LogSettings(), file=tmp_path / "none" / "serve.log")


def test_a_full_disk_is_told_once_and_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    log = EventLog(LogSettings(form="json"), file=Path("/dev/full"))
    for _ in range(3):
        log.event("ready")
    log.close()
    (line,) = written(capsys)
    assert line.startswith("error: the log file /dev/full: ")
    assert "No space left" in line
