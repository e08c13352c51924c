"""Cores: their list, and that what is started gets them while this thread keeps its own."""

import os
import subprocess
import sys

import pytest

from ernie_triton.errors import ScenarioError
from ernie_triton.perf.tuning.affinity import cores_from, cores_words, starting_on, usable_cores


@pytest.mark.parametrize(
    ("text", "cores"),
    [("0", {0}), ("0,2", {0, 2}), ("0-3,6", {0, 1, 2, 3, 6}), ("2-2", {2})],
)
def test_a_list_of_cores_is_read(text: str, cores: set[int]) -> None:
    assert cores_from(text) == cores
    assert cores_from(cores_words(frozenset(cores))) == cores


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "3-1", "0,,1", "0x1"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        cores_from(text)


def test_a_core_that_is_not_there_is_told_with_those_that_are() -> None:
    here = os.sched_getaffinity(0)
    absent = max(here) + 1
    with pytest.raises(ScenarioError, match=f"names {absent}, but this process may use"):
        usable_cores(frozenset({absent}))
    assert usable_cores(None) == here


def test_a_started_program_has_the_cores_and_this_thread_has_its_own_again() -> None:
    before = os.sched_getaffinity(0)
    core = min(before)
    with starting_on(frozenset({core})):
        told = subprocess.run(
            [sys.executable, "-c", "import os; print(*os.sched_getaffinity(0))"],
            capture_output=True,
            encoding="ascii",
            check=True,
        ).stdout
    assert told.split() == [str(core)]
    assert os.sched_getaffinity(0) == before
