"""Merges are those of byte pair encoding, worked by hand and by a plain recount."""

from __future__ import annotations

import random
from collections import Counter

from ernie_triton.training.compression.subwords.merges import merged_pieces


def recounted(runs: dict[str, int], count: int, least: int, longest: int) -> list[str]:
    """The same by counting everything anew before each merge."""
    cut = {run: list(run) for run in runs}
    made: list[str] = []
    while len(made) < count:
        counts: Counter[tuple[str, str]] = Counter()
        for run, times in runs.items():
            for left, right in zip(cut[run], cut[run][1:], strict=False):
                if len(left + right) <= longest:
                    counts[left, right] += times
        frequent = [(-times, pair) for pair, times in counts.items() if times >= least]
        if not frequent:
            break
        left, right = min(frequent)[1]
        for run, symbols in cut.items():
            joined, place = [], 0
            while place < len(symbols):
                both = symbols[place : place + 2] == [left, right]
                joined.append(left + right if both else symbols[place])
                place += 1 + both
            cut[run] = joined
        if left + right not in made:
            made.append(left + right)
    return made


def test_the_most_frequent_neighbours_are_merged_first() -> None:
    runs = {"新闻公司": 3, "新闻": 2, "公司": 1, "人": 9}
    assert list(merged_pieces(runs, 5)) == ["新闻", "公司", "新闻公司"]
    assert list(merged_pieces(runs, 1)) == ["新闻"]


def test_pieces_are_no_longer_and_no_rarer_than_asked() -> None:
    runs = {"新闻公司": 3, "人民": 1}
    assert list(merged_pieces(runs, 9, longest=2)) == ["公司", "新闻"]
    assert "人民" in list(merged_pieces(runs, 9, least=1))
    assert list(merged_pieces(runs, 9, least=4)) == []


def test_random_runs_are_merged_as_a_full_recount_merges_them() -> None:
    chance = random.Random(3)
    for _ in range(30):
        runs = {
            "".join(chance.choices("一二三四", k=chance.randint(1, 9))): chance.randint(1, 5)
            for _ in range(40)
        }
        assert list(merged_pieces(runs, 25, longest=4)) == recounted(runs, 25, 2, 4)
