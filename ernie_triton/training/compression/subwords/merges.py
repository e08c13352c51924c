"""Pieces of several characters, found by byte pair encoding over runs of ideographs.

Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units", ACL 2016
(arxiv.org/abs/1508.07909), algorithm 1: again and again the most frequent pair of neighbours in the
texts becomes one symbol.
"""

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

_Pair = tuple[str, str]


def merged_pieces(
    runs: Mapping[str, int], count: int, *, least: int = 2, longest: int = 8
) -> Iterator[str]:
    """Merge neighbours, and yield the pieces in the order of the merges; deterministic.

    Of equally frequent pairs, the first in the order of code points is merged.

    Args:
        runs: runs of ideographs with their counts in the texts.
        count: number of pieces wanted.
        least: least count of a pair that is merged.
        longest: most characters of a piece.
    """
    merging = _Merging(runs, longest)
    made: set[str] = set()
    while len(made) < count:
        pair = merging.most_frequent(least)
        if pair is None:
            return
        merging.merge(pair)
        piece = "".join(pair)
        # Different merges may make the same piece.
        if piece not in made:
            made.add(piece)
            yield piece


class _Merging:
    """The runs in their present symbols, with the counts of all pairs of neighbours."""

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
        """Return the pair to merge next, or None if no pair is frequent enough."""
        while self._heap:
            times, pair = heapq.heappop(self._heap)
            now = self._counts[pair]
            if now == -times and now >= least:
                return pair
            # Its count has fallen since it was pushed.
            if least <= now < -times:
                heapq.heappush(self._heap, (-now, pair))
        return None

    def merge(self, pair: _Pair) -> None:
        """Replace every occurrence of the pair by one symbol."""
        changed: set[_Pair] = set()
        for index in sorted(self._places[pair]):
            changed.update(self._count(index, -1))
            self._symbols[index] = _merged(self._symbols[index], pair)
            changed.update(self._count(index, 1))
        for other in changed:
            if self._counts[other] > 0:
                heapq.heappush(self._heap, (-self._counts[other], other))

    def _count(self, index: int, sign: int) -> Iterable[_Pair]:
        """Add a run's pairs to the counts, or subtract them; return the pairs."""
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
