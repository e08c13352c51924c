"""A long run says how far it is: a bar on a terminal, lines in a log."""

import sys
import time

import pytest

from ernie_triton.client.cli.progress import file_progress


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock, in seconds, as the only item."""
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    return clock


def test_a_log_has_a_line_a_minute_and_every_note(
    at: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with file_progress(200_000, "row") as shown:
        for seconds in (1, 59, 30, 31, 10):
            at[0] += seconds
            shown.update(1500)
            if seconds == 30:
                shown.note("line 7: the text is empty")
    assert capsys.readouterr().err.splitlines() == [
        "3,000 of 200,000 rows, 50 rows/s, 1:05:40 left",
        "line 7: the text is empty",
        "6,000 of 200,000 rows, 50 rows/s, 1:05:12 left",
    ]


def test_rows_that_were_not_counted_have_a_rate_alone(
    at: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with file_progress(None, "line") as shown, file_progress(None, "line", shown=False) as hidden:
        at[0] += 60
        shown.update(600)
        hidden.update(600)
    assert capsys.readouterr().err == "600 lines, 10 lines/s\n"


def test_a_terminal_has_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with file_progress(4, "row") as shown:
        shown.note("a note")
        shown.update(4)
    assert "a note" in capsys.readouterr().err.splitlines()
