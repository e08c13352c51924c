"""Rates and concurrency of a key, alone and across workers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ernie_triton.errors import UsageError
from ernie_triton.gateway.guard.keys import ApiKey, KeyRing, NamedKey, digest_of_key, key_table
from ernie_triton.gateway.guard.limits import KeyLimits, write_limit_table
from ernie_triton.gateway.problems import ProblemError
from tests.commands import Run

HASH = digest_of_key("x")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[int], KeyLimits]]:
    """`opened(worker)` is that worker's view of one table."""
    write_limit_table(tmp_path / "limits")
    with contextlib.ExitStack() as closed:

        def opened(worker: int) -> KeyLimits:
            return closed.enter_context(contextlib.closing(KeyLimits(tmp_path / "limits", worker)))

        yield opened


def named(name: str = "a", **limits: float | int) -> NamedKey:
    return NamedKey(name=name, key=ApiKey(sha256=HASH, **limits))  # type: ignore[arg-type]


def is_admitted(limits: KeyLimits, key: NamedKey) -> bool:
    try:
        with limits.admitted(key):
            return True
    except ProblemError as error:
        return error.status != 429 or int(error.headers["retry-after"]) < 1


def test_a_burst_passes_then_the_rate_counts_and_another_key_is_not_touched(
    opened: Callable[[int], KeyLimits],
) -> None:
    limits = opened(0)
    key = named(rate_per_s=5.0, burst=3)
    assert [is_admitted(limits, key) for _ in range(5)] == [True, True, True, False, False]
    assert is_admitted(limits, named("b", rate_per_s=5.0))
    time.sleep(0.21)
    assert [is_admitted(limits, key) for _ in range(2)] == [True, False]


def test_workers_share_a_key_s_rate_and_concurrency(opened: Callable[[int], KeyLimits]) -> None:
    workers = [opened(number) for number in range(3)]
    key = named(concurrency=2)
    with contextlib.ExitStack() as held:
        for worker in workers[:2]:
            held.enter_context(worker.admitted(key))
        assert not any(is_admitted(worker, key) for worker in workers)
    assert is_admitted(workers[2], key)
    rated = named("rated", rate_per_s=0.5, burst=2)
    assert [is_admitted(worker, rated) for worker in workers] == [True, True, False]


def test_a_worker_that_ended_takes_its_requests_with_it(opened: Callable[[int], KeyLimits]) -> None:
    ended = opened(1)
    key = named(concurrency=1)
    held = ended.admitted(key)
    held.__enter__()
    other = opened(0)
    assert not is_admitted(other, key)
    opened(1)
    assert is_admitted(other, key)


def test_the_command_prints_a_key_that_its_file_knows_and_does_not_hold(
    tmp_path: Path, run: Run
) -> None:
    path = tmp_path / "keys.toml"
    secrets = []
    for name, options in (("web", ("--rate", "5", "--pipeline", "ernie_qa")), ("batch", ())):
        done = run("gateway-key", name, "--keys", path, *options)
        assert done.code == 0
        secrets.append(done.stdout.strip())
    ring = KeyRing(path)
    web, batch = (ring.find(secret) for secret in secrets)
    assert web is not None
    assert batch is not None
    assert (web.name, web.key.rate_per_s, web.key.burst) == ("web", 5.0, 5)
    assert (web.key.may_ask("ernie_qa"), web.key.may_ask("other")) == (True, False)
    assert batch.key.may_ask("other")
    assert not any(secret in path.read_text(encoding="utf-8") for secret in secrets)
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(SystemExit):
        run("gateway-key", "web", "--keys", path)


def test_a_file_that_breaks_keeps_the_keys_there_were(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(key_table("a", ApiKey(sha256=HASH)), encoding="utf-8")
    told: list[str] = []
    ring = KeyRing(path, told.append)
    path.write_text("[keys", encoding="utf-8")
    time.sleep(1.1)
    assert ring.find("x") is not None
    assert len(told) == 1
    with pytest.raises(UsageError, match="cannot be read as TOML"):
        KeyRing(path)
