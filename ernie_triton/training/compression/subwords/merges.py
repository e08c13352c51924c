"""Pieces of several characters, found by byte pair encoding over runs of ideographs.

Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units", ACL 2016
(arxiv.org/abs/1508.07909), algorithm 1: the pair of neighbours that stands in the texts most often
becomes one symbol, as many times as asked.
"""

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

_Pair = tuple[str, str]


def merged_pieces(
    runs: Mapping[str, int], count: int, *, least: int = 2, longest: int = 8
) -> Iterator[str]:
    """The pieces that merging makes, in the order of the merges; the same for the same runs.

    Of pairs that are equally frequent, the first in the order of code points is taken.

    Args:
        runs: of ideographs, and how often each stands in the texts.
        count: pieces wanted.
        least: times that a pair must stand in the texts.
        longest: characters that a piece may have.
    """
    merging = _Merging(runs, longest)
    made: set[str] = set()
    while len(made) < count:
        pair = merging.most_frequent(least)
        if pair is None:
            return
        merging.merge(pair)
        piece = "".join(pair)
        # Two ways of cutting may lead to one piece.
        if piece not in made:
            made.add(piece)
            yield piece


class _Merging:
    """The runs as they are cut so far, with the counts of all neighbours."""

    def __init__(self, runs: Mapping[str, int], longest: int) -> None:
        self._longest = longest
        ordered = sorted(runs)
        self._symbols = [list(run) for run in ordered]
        self._times = [runs[run] for run in ordered]
        self._counts: Counter[_Pair] = Counter()
        self._places: dict[_Pair, set[int]] = defaultdict(set)
        for index in range(len(ordered)):
            self._count(index, 1)
        self._heap = [(-times, pair) for pair, times in self._counts.items()]
        heapq.heapify(self._heap)

    def most_frequent(self, least: int) -> _Pair | None:
        """The pair to merge next, or None where no more is frequent enough."""
        while self._heap:
            times, pair = heapq.heappop(self._heap)
            now = self._counts[pair]
            if now == -times and now >= least:
                return pair
            # Counted down since it was put here.
            if least <= now < -times:
                heapq.heappush(self._heap, (-now, pair))
        return None

    def merge(self, pair: _Pair) -> None:
        """Make one symbol of the pair wherever it stands."""
        changed: set[_Pair] = set()
        for index in sorted(self._places[pair]):
            changed.update(self._count(index, -1))
            self._symbols[index] = _merged(self._symbols[index], pair)
            changed.update(self._count(index, 1))
        for other in changed:
            if self._counts[other] > 0:
                heapq.heappush(self._heap, (-self._counts[other], other))

    def _count(self, index: int, sign: int) -> Iterable[_Pair]:
        """Count the neighbours in a run, or count them out."""
        symbols = self._symbols[index]
        pairs = [
            (left, right)
            for left, right in itertools.pairwise(symbols)
            if len(left) + len(right) <= self._longest
        ]
        for pair in pairs:
            self._counts[pair] += sign * self._times[index]
            if sign > 0:
                self._places[pair].add(index)
            else:
                self._places[pair].discard(index)
        return pairs


def _merged(symbols: list[str], pair: _Pair) -> list[str]:
    left, right = pair
    made: list[str] = []
    place = 0
    while place < len(symbols):
        if symbols[place] == left and symbols[place + 1 : place + 2] == [right]:
            made.append(left + right)
            place += 2
        else:
            made.append(symbols[place])
            place += 1
    return made
