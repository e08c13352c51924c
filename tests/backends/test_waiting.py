"""The bound on requests that wait for the engine: exact in order, and healed after clients left."""

from pathlib import Path

import numpy as np
import pytest

from ernie_triton.backends import waiting
from ernie_triton.backends.waiting import (
    FORGET_S,
    TakenRequests,
    WaitingRequests,
    mark_of,
    taken_requests,
)
from ernie_triton.request_counts import COUNTS_FOLDER


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(waiting, "time", made)
    return made


@pytest.fixture
def engine(tmp_path: Path) -> TakenRequests:
    made = TakenRequests(tmp_path / "pipeline.waiting")
    made.add(1, 0)  # the warm-up
    return made


@pytest.fixture
def tokenizer(clock: Clock, engine: TakenRequests, tmp_path: Path) -> WaitingRequests:
    """Four may wait; it reads the file that `engine` writes."""
    del clock, engine
    return WaitingRequests(TakenRequests(tmp_path / "pipeline.waiting"), 4)


def test_what_the_engine_took_makes_room(tokenizer: WaitingRequests, engine: TakenRequests) -> None:
    for mark in (1, 2, 3, 4):
        assert tokenizer.room() == 5 - mark
        tokenizer.pass_on(mark)
    assert tokenizer.room() == 0
    engine.add(2, 2)
    assert tokenizer.room() == 2


def test_requests_that_vanished_before_one_that_came_are_gone(
    tokenizer: WaitingRequests, engine: TakenRequests
) -> None:
    for mark in (1, 2, 3, 4):
        tokenizer.pass_on(mark)
    engine.add(1, 3)  # 1 and 2 were cancelled
    assert tokenizer.room() == 3


def test_equal_requests_are_counted(tokenizer: WaitingRequests, engine: TakenRequests) -> None:
    for _ in range(4):
        tokenizer.pass_on(7)
    engine.add(3, 7)
    assert tokenizer.room() == 3


def test_requests_that_all_vanished_are_forgotten(tokenizer: WaitingRequests, clock: Clock) -> None:
    for mark in (1, 2, 3, 4):
        tokenizer.pass_on(mark)
    clock.now_s += FORGET_S / 2
    assert tokenizer.room() == 0
    clock.now_s += FORGET_S
    assert tokenizer.room() == 4


def test_an_engine_that_tells_nothing_sets_no_bound(tmp_path: Path) -> None:
    tokenizer = WaitingRequests(TakenRequests(tmp_path / "native.waiting"), 4)
    for mark in range(9):
        tokenizer.pass_on(mark)
    assert tokenizer.room() > 1_000_000


def test_a_mark_is_of_the_id_and_the_tokens() -> None:
    ids = np.array([[1, 2, 3]], np.int32)
    assert mark_of("a", ids) == mark_of("a", ids.copy()) > 0
    assert len({mark_of("a", ids), mark_of("b", ids), mark_of("a", ids + 1)}) == 3


def test_the_stages_of_a_pipeline_share_a_file(tmp_path: Path) -> None:
    environment = {COUNTS_FOLDER: str(tmp_path)}
    taken_requests("news_engine", "engine", environment).add(5, 9)
    assert taken_requests("news_tokenizer", "tokenizer", environment).read() == (5, 9)
    assert taken_requests("other_tokenizer", "tokenizer", environment).read() == (0, 0)
