"""Hold a comparison with peers as data, JSON and a table."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import DatasetError
from ernie_triton.perf.paired import paired_ratio, spread
from ernie_triton.perf.results import MachineFacts
from ernie_triton.text_table import Table

OUR_FORMS = ("ernie-triton joined", "ernie-triton ensemble")

Rates = Mapping[str, Mapping[int, Sequence[float]]]
"""Requests a second by server and concurrency, a figure for each round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeersRun:
    """One comparison.

    Attributes:
        model: the checkpoint's name.
        started_at: UTC, ISO 8601.
        machine: the machine.
        features: the processor's units for vectors and matrices, by Linux's names.
        commit: of this project; empty outside a clone.
        seconds: of each figure.
        rates: of every server.
    """

    model: str
    started_at: str
    machine: MachineFacts
    features: tuple[str, ...]
    commit: str
    seconds: float
    rates: Rates

    @property
    def levels(self) -> list[int]:
        """The concurrencies, as they were measured."""
        return [*next(iter(self.rates.values()))]

    def heading(self) -> str:
        """Describe model, machine, time and commit in a line."""
        commit = f", commit {self.commit}" if self.commit else ""
        rounds = len(next(iter(next(iter(self.rates.values())).values())))
        return (
            f"{self.model}: {self.machine.processor} ({' '.join(self.features)}), "
            f"{self.machine.cores} cores; {self.started_at[:10]}{commit}; "
            f"{rounds} rounds in turn, {self.seconds:g} s a figure"
        )

    def lines(self) -> list[str]:
        """The heading, and a row for each server: requests a second and ratios to the best peer."""
        levels, rows = self.levels, []
        best = {level: self._best_peer(level) for level in levels}
        for name, by_level in self.rates.items():
            cells = [spread(by_level[level]).text() for level in levels]
            for level in levels:
                theirs = best[level]
                ours = by_level[level]
                cells.append("" if theirs is None else paired_ratio(ours, theirs).text("x"))
            rows.append((name, *cells))
        columns = ["server", *(f"requests/s at {level}" for level in levels)]
        columns += [f"over the best peer at {level}" for level in levels]
        return [self.heading(), "", *Table(columns).lines(rows)]

    def _best_peer(self, level: int) -> Sequence[float] | None:
        """The figures of the peer with the best median; None without peers."""
        peers = (self.rates[name][level] for name in self.rates if name not in OUR_FORMS)
        return max(peers, key=lambda values: spread(values).median, default=None)

    def to_json(self) -> str:
        """Return indented JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=2) + "\n"


def read_peers(path: Path) -> PeersRun:
    """Read a comparison from its JSON file.

    Raises:
        DatasetError: the file cannot be read or is not a comparison.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["machine"] = MachineFacts(**content["machine"])
        content["features"] = tuple(content["features"])
        content["rates"] = {
            name: {int(level): values for level, values in by_level.items()}
            for name, by_level in content["rates"].items()
        }
        return PeersRun(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} cannot be read as results of peers: {error!r}") from error
