"""Long requests run between the batches, a few rows at a time, and are answered as ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import Queue

import numpy as np
import pytest

from ernie_triton.arrays import Outputs
from ernie_triton.batch import TokenBatch
from ernie_triton.stages.deferred import DeferredRows, FairLock, then
from tests.stages.calls import ANSWER_S

CELLS = 256
UNLUCKY = 1_000_000


def batch_of(*lengths: int, first: int = 1) -> TokenBatch:
    """Rows of ids that count on from the first."""
    ids = np.arange(first, first + sum(lengths), dtype=np.int32)
    return TokenBatch(
        input_ids=ids,
        token_type_ids=np.zeros_like(ids),
        lengths=np.array(lengths, np.int32),
    )


def by_row(batch: TokenBatch) -> Outputs:
    """An engine that adds up each row's ids."""
    sums = [one.input_ids.sum() for one in batch.each_row()]
    return {"sum": np.array(sums, np.float32)[:, None]}


def by_token(batch: TokenBatch) -> Outputs:
    """An engine that doubles each id."""
    return {"double": 2.0 * batch.input_ids[:, None].astype(np.float32)}


class Recorded:
    """An engine that keeps what it ran, and waits where it is told to."""

    def __init__(self) -> None:
        self.runs: list[TokenBatch] = []
        self.started = threading.Event()
        self.go = threading.Event()

    def __call__(self, batch: TokenBatch) -> Outputs:
        self.started.set()
        assert self.go.wait(ANSWER_S)
        self.runs.append(batch)
        if UNLUCKY in batch.input_ids:
            raise ZeroDivisionError("unlucky")
        return by_row(batch)


def test_a_request_much_longer_than_the_usual_one_is_deferred() -> None:
    deferred = DeferredRows(by_row, is_per_token=False)
    assert deferred.choose([24, 20, 72, 30, 128, 28]) == [4]
    assert deferred.choose([4000]) == [0]


@pytest.mark.parametrize("usual", [24, 128, 4000])
def test_where_all_are_alike_none_is_deferred(usual: int) -> None:
    deferred = DeferredRows(by_row, is_per_token=False)
    for _ in range(5):
        assert not deferred.choose([usual] * 16)
        assert not deferred.choose([usual])


def test_what_is_usual_changes_with_the_requests() -> None:
    deferred = DeferredRows(by_row, is_per_token=False)
    deferred.choose([24] * 64)
    assert len(deferred.choose([500] * 16)) == 16
    deferred.choose([500] * 32)
    assert not deferred.choose([500])


def test_only_so_many_are_deferred_at_a_time() -> None:
    engine = Recorded()
    deferred = DeferredRows(engine, is_per_token=False)
    deferred.choose([10] * 64)
    many = [100] * 20
    submitted = [deferred.submit(batch_of(100)) for _ in deferred.choose(many)]
    assert len(submitted) == 20
    deferred.choose([10] * 64)
    assert len(deferred.choose(many)) == 12
    engine.go.set()
    deferred.close()
    assert all(one.done() for one in submitted)


@pytest.mark.parametrize("run", [by_row, by_token])
def test_the_outputs_are_those_of_one_batch(run: Callable[[TokenBatch], Outputs]) -> None:
    deferred = DeferredRows(run, is_per_token=run is by_token)
    batches = [batch_of(100, 7, 128, 300), batch_of(2, first=5), batch_of(*[90] * 11, first=50)]
    futures = [deferred.submit(batch) for batch in batches]
    for batch, future in zip(batches, futures, strict=True):
        found = future.result(ANSWER_S)
        for name, values in run(batch).items():
            np.testing.assert_array_equal(found[name], values)
    deferred.close()


def test_requests_take_turns_in_small_runs() -> None:
    engine = Recorded()
    deferred = DeferredRows(engine, is_per_token=False)
    blocker = deferred.submit(batch_of(2))  # its run waits until all the others are there
    assert engine.started.wait(ANSWER_S)
    long = deferred.submit(batch_of(*[128] * 6, first=1000))
    ended: Queue[str] = Queue()
    long.add_done_callback(lambda _: ended.put("long"))
    deferred.submit(batch_of(60)).add_done_callback(lambda _: ended.put("short"))
    engine.go.set()
    deferred.close()
    assert blocker.done()
    assert [ended.get_nowait(), ended.get_nowait()] == ["short", "long"]
    assert all(run.rows * run.lengths.max() <= CELLS for run in engine.runs)
    assert len(engine.runs) == 1 + 4


def test_a_row_larger_than_a_run_runs_alone() -> None:
    engine = Recorded()
    engine.go.set()
    deferred = DeferredRows(engine, is_per_token=False)
    assert deferred.submit(batch_of(400, 400)).result(ANSWER_S)["sum"].shape == (2, 1)
    assert [run.rows for run in engine.runs] == [1, 1]
    deferred.close()


def test_a_run_that_fails_fails_its_requests_alone() -> None:
    engine = Recorded()
    deferred = DeferredRows(engine, is_per_token=False)
    bad = deferred.submit(batch_of(200, 200, first=UNLUCKY))
    good = deferred.submit(batch_of(200, 200, first=1000))
    engine.go.set()
    with pytest.raises(ZeroDivisionError, match="unlucky"):
        bad.result(ANSWER_S)
    assert good.result(ANSWER_S)["sum"].shape == (2, 1)
    deferred.close()
    assert [run.input_ids[0] for run in engine.runs] == [UNLUCKY, 1000, 1200]


def test_nothing_runs_while_a_batch_has_the_engine() -> None:
    engine = Recorded()
    engine.go.set()
    deferred = DeferredRows(engine, is_per_token=False)
    with deferred.engine:
        future = deferred.submit(batch_of(5))
        with pytest.raises(TimeoutError):
            future.result(0.05)
        assert engine.runs == []
    assert future.result(ANSWER_S)["sum"].item() == 15
    deferred.close()


def test_the_lock_goes_to_whoever_has_waited_longest() -> None:
    lock, order = FairLock(), list[str]()
    inside, again = threading.Event(), threading.Event()

    def first() -> None:
        with lock:
            inside.set()
            assert again.wait(ANSWER_S)
        with lock:
            order.append("first, again")

    def second() -> None:
        with lock:
            order.append("second")

    threads = [threading.Thread(target=work) for work in (first, second)]
    threads[0].start()
    assert inside.wait(ANSWER_S)
    threads[1].start()
    while not lock._waiting:
        time.sleep(0.001)
    again.set()
    for thread in threads:
        thread.join(ANSWER_S)
    assert order == ["second", "first, again"]


def test_a_step_is_taken_when_the_result_is_there() -> None:
    found: Future[int] = Future()
    made = then(found, lambda number: number + 1)
    assert not made.done()
    found.set_result(4)
    assert made.result() == 5


def test_a_step_fails_as_what_it_waited_for() -> None:
    found: Future[int] = Future()
    made = then(found, lambda number: number // 0)
    broken = then(made, str)
    found.set_result(4)
    with pytest.raises(ZeroDivisionError):
        made.result()
    with pytest.raises(ZeroDivisionError):
        broken.result()


def test_an_unused_one_closes_without_a_thread() -> None:
    before = threading.active_count()
    DeferredRows(by_row, is_per_token=False).close()
    assert threading.active_count() == before
