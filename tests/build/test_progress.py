"""A step is a line on stderr when it is done, with its cost, and no line when it failed."""

import re
import time

import pytest

from ernie_triton.build import progress
from ernie_triton.build.progress import progress_bar, timed_step


def test_a_step_is_one_line_with_its_cost_and_notes(capsys: pytest.CaptureFixture[str]) -> None:
    with timed_step("graph") as notes:
        time.sleep(0.02)
        notes.append("120 nodes")
        notes.append("packed")
    captured = capsys.readouterr()
    assert captured.out == ""
    line = re.fullmatch(r" +(\d+\.\d\d) s  graph +120 nodes; packed\n", captured.err)
    assert line is not None
    assert 0.02 <= float(line[1]) < 5


def test_a_failed_step_leaves_the_line_to_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="bad"), timed_step("graph"):
        raise ValueError("bad")
    assert capsys.readouterr() == ("", "")


def test_long_work_without_a_terminal_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    assert list(progress_bar("abcd", "scores")) == ["a", "b", "c", "d"]
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "scores: 3 of 4, 0 min left"
    monkeypatch.setattr(progress, "LINE_EVERY_S", 60.0)
    assert list(progress_bar("abcd", "scores")) == ["a", "b", "c", "d"]
    assert capsys.readouterr() == ("", "")
