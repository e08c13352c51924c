"""Texts to send, as data: kinds with a distribution of lengths, or a file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import ScenarioError

_TEXT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
SHORTEST_TOKENS = 3
"""One character and two special tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextKind:
    """Texts of one distribution of lengths: fixed with `tokens`, otherwise normal.

    A length is in tokens of a row, special tokens included; a row of two texts counts both.

    Attributes:
        name: the name in loads and tables.
        share: share of the texts, 0 to 1.
        tokens: the length of every text; 0 draws from the normal distribution.
        mean: of the normal distribution.
        deviation: its standard deviation.
        shortest: a draw below is drawn again.
        longest: a draw above is drawn again.
    """

    name: str
    share: float = 1.0
    tokens: int = 0
    mean: float = 0.0
    deviation: float = 0.0
    shortest: int = SHORTEST_TOKENS
    longest: int = 512

    def __post_init__(self) -> None:
        if not _TEXT_NAME.fullmatch(self.name):
            raise ScenarioError(
                f"the kind of texts {self.name!r} is no name; use a-z, 0-9, '_' and '-'"
            )
        if not 0 < self.share <= 1:
            raise ScenarioError(f"the share of {self.name} is {self.share}; expected 0 to 1")
        if bool(self.tokens) == bool(self.mean):
            raise ScenarioError(
                f"the texts {self.name} need either tokens (a fixed length) or mean and deviation"
            )
        if self.tokens < 0 or self.deviation < 0:
            raise ScenarioError(f"a length of the texts {self.name} is negative")
        if self.mean and not SHORTEST_TOKENS <= self.shortest <= self.mean <= self.longest:
            raise ScenarioError(
                f"the texts {self.name} have the lengths {self.shortest} <= {self.mean:g} <= "
                f"{self.longest}; expected ascending, from {SHORTEST_TOKENS}"
            )

    def __str__(self) -> str:
        if self.tokens:
            return f"{self.tokens} tokens"
        return (
            f"normal lengths, mean {self.mean:g} tokens, deviation {self.deviation:g}, "
            f"{self.shortest} to {self.longest}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSpec:
    """The texts to send.

    Attributes:
        file: texts, one a line, a TAB between the texts of a row; None makes texts of `kinds`.
        kinds: distributions of lengths; the shares of a load's kinds add up to 1.
        entries: number of different rows to make.
        seed: of the random numbers.
        first_share: the first text's share of the length, in a row of two texts.
        documents: texts of a row's last input, where that is a list.
        schema: the last input of every row, where that is a schema.
        mask: put in the place of a character of every text, for models that fill it in.
    """

    file: Path | None = None
    kinds: tuple[TextKind, ...] = ()
    entries: int = 1024
    seed: int = 1
    first_share: float = 0.5
    documents: int = 1
    schema: str = ""
    mask: str = ""

    def __post_init__(self) -> None:
        if (self.file is None) == (not self.kinds):
            raise ScenarioError("texts need either a file or kinds")
        for name in ("entries", "documents"):
            if getattr(self, name) < 1:
                raise ScenarioError(f"{name} is {getattr(self, name)}; expected at least 1")
        if not 0 < self.first_share < 1:
            raise ScenarioError(f"first_share is {self.first_share}; expected 0 to 1")
        refuse_doubles("kind of texts", [kind.name for kind in self.kinds])

    def __str__(self) -> str:
        if self.file is not None:
            return f"lines of {self.file.name}"
        return "; ".join(
            f"{kind.name}: {kind}" + (f", {kind.share:.0%} of the texts" if kind.share < 1 else "")
            for kind in self.kinds
        )

    def chosen(self, names: Sequence[str]) -> tuple[TextKind, ...]:
        """Return the kinds of these names; all kinds without names.

        Raises:
            ScenarioError: there is no such kind.
        """
        known = {kind.name: kind for kind in self.kinds}
        for name in names:
            if name not in known:
                raise ScenarioError(
                    f"a load has the texts {name!r}; known are {', '.join(known) or 'none'}"
                )
        return tuple(known[name] for name in names) or self.kinds


def refuse_doubles(what: str, names: Sequence[str]) -> None:
    """Refuse a name that is given twice.

    Raises:
        ScenarioError: a name is given twice.
    """
    for name in names:
        if names.count(name) > 1:
            raise ScenarioError(f"the {what} {name!r} is named twice")
