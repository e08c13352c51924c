"""The log of requests: its lines, and that it never keeps a request waiting."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from ernie_triton.arrays import Tensors
from ernie_triton.log_settings import LogSettings
from tests.backends.calls import execute
from tests.backends.test_triton_model import adder, number, procrastinator, requests

JSON = LogSettings(form="json", requests="all")


def logged(
    settings: LogSettings, ended: Callable[[Any], None], *given: Tensors
) -> list[Mapping[str, Any]]:
    """The lines of a batch whose endings the function tells."""
    from ernie_triton.backends.request_log import LoggedBatch, RequestLog

    parts: list[bytes] = []
    log = RequestLog(settings, pipeline="news", stage="tokenizer", write=parts.append)
    ended(LoggedBatch(log, [f"id-{place}" for place in range(len(given))], given))
    log.close()
    assert all(part.endswith(b"\n") and len(part) <= 4096 for part in parts)
    return [json.loads(line) for line in b"".join(parts).splitlines()]


def column(*texts: str) -> Tensors:
    return {"text": np.array([[text.encode()] for text in texts], np.object_)}


def test_a_line_has_the_request_and_its_end_but_not_its_texts() -> None:
    (line,) = logged(JSON, lambda batch: batch.ended(0, "answered", 9), column("央行", "降息"))
    assert list(line) == [
        *("time", "event", "pipeline", "stage", "request_id", "rows", "tokens", "outcome"),
        *("duration_ms", "batch"),
    ]
    assert [line[name] for name in ("event", "pipeline", "stage", "request_id")] == [
        *("request", "news", "tokenizer", "id-0")
    ]
    assert [line[name] for name in ("rows", "tokens", "outcome", "batch")] == [2, 9, "answered", 1]
    assert 0 <= line["duration_ms"] < 10_000


def test_texts_are_there_when_asked_for_and_cut() -> None:
    settings = LogSettings(form="json", requests="all", texts=True)
    given = [column("央行", "降息"), column("很长" * 9_000), column(*["\x00" * 9] * 99)]

    def ended(batch: Any) -> None:
        for place in range(3):
            batch.ended(place, "answered", None)

    first, second, third = logged(settings, ended, *given)
    assert first["texts"] == ["央行", "降息"]
    assert second["texts"] == ["很长" * 150]
    assert len(third["texts"]) == 32
    assert third["rows"] == 99


def test_answers_have_no_line_where_failures_alone_are_asked_for() -> None:
    settings = LogSettings(form="json", requests="failed")

    def ended(batch: Any) -> None:
        batch.ended(0, "answered", 3)
        batch.ended(1, "refused", None, "row 0 is not UTF-8")

    (line,) = logged(settings, ended, column("a"), column("b"))
    assert (line["outcome"], line["error"]) == ("refused", "row 0 is not UTF-8")


def test_a_log_that_nobody_reads_keeps_no_request_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    from ernie_triton.backends import request_log

    monkeypatch.setattr(request_log, "_MOST_WAITING", 3)
    taken, may_write, parts = threading.Event(), threading.Event(), list[bytes]()

    def write(part: bytes) -> None:
        taken.set()
        assert may_write.wait(20)
        parts.append(part)

    log = request_log.RequestLog(JSON, pipeline="news", stage="engine", write=write)
    batch = request_log.LoggedBatch(log, ["x"], [column("a")])
    batch.ended(0, "answered", None)
    assert taken.wait(20)  # the thread is in its first write
    for _ in range(5):
        batch.ended(0, "answered", None)
    may_write.set()
    log.close()
    events = [json.loads(line) for line in b"".join(parts).splitlines()]
    assert [event["event"] for event in events] == ["request"] * 4 + ["log_lines_left_out"]
    assert events[-1]["lines"] == 2


def test_a_log_that_cannot_be_written_ends_and_no_more() -> None:
    def ended(batch: Any) -> None:
        batch.ended(0, "answered", None)

    def fail(_: bytes) -> None:
        raise BrokenPipeError

    from ernie_triton.backends.request_log import LoggedBatch, RequestLog

    log = RequestLog(JSON, pipeline="news", stage="engine", write=fail)
    batch = LoggedBatch(log, ["x"], [column("a")])
    ended(batch)
    log.close()
    ended(batch)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[[], Any]:
    """A log in JSON for the models of a test; call it for the lines so far."""
    for name, value in JSON.to_environment().items():
        monkeypatch.setenv(name, value)
    return lambda: [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def test_a_model_logs_each_request_once_as_it_ended(lines: Callable[[], Any]) -> None:
    model = adder([])
    execute(model, requests(1, 13, 14))
    model.finalize()
    found = {line["request_id"]: line for line in lines()}
    outcomes = [found[f"request-{value}"]["outcome"] for value in (1, 13, 14)]
    assert outcomes == ["answered", "failed", "refused"]
    assert found["request-13"]["error"] == "thirteen"
    assert found["request-14"]["error"] == "fourteen is refused"
    assert {line["batch"] for line in found.values()} == {3}


def test_an_answer_that_comes_later_is_logged_when_it_comes(lines: Callable[[], Any]) -> None:
    from concurrent.futures import Future

    from tests.backends.fake_triton import InferenceRequest

    later: Future[Tensors] = Future()
    model = procrastinator({0: Future(), 7: later})
    batch = [InferenceRequest(number(value)) for value in (7, 1)]
    model.execute(batch)
    later.set_result(number(70))
    model.finalize()
    assert [line["request_id"] for line in lines()] == ["request-1", "request-7"]


def test_without_settings_a_model_logs_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    model = adder([])
    execute(model, requests(1, 14))
    model.finalize()
    assert capfd.readouterr().err == ""


def test_a_setting_that_is_not_known_fails_the_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.backends.fake_triton import TritonModelException

    monkeypatch.setenv("ERNIE_TRITON_LOG_FORMAT", "xml")
    with pytest.raises(TritonModelException, match="ERNIE_TRITON_LOG_FORMAT is 'xml'"):
        adder([])
