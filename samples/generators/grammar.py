"""Draw sentences from a grammar file of templates and word lists.

A file holds sections. `[name]` is a list of words between spaces (`_` stands for a space inside a
word); `[[name]]` holds one entry a line. An entry may contain `{name}` (a random entry of that
section), `{2-30}` (a random whole number, both ends included) and `{a|b|}` (one of the choices,
perhaps none), nested as deep as the sections go. A word listed twice is twice as likely.

An entry may also mark spans: `<PER:{surname}{given}>来到<LOC:{city}>`. Marks survive the expansion
of the slots inside them and do not nest. `strip_marks` takes them out and gives their places.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from samples.errors import GrammarError

GRAMMAR_FOLDER = Path(__file__).parents[1] / "grammars"
MAX_DEPTH = 12

_SLOT = re.compile(r"\{([^{}]*)\}")
_NUMBER_RANGE = re.compile(r"(\d+)-(\d+)")
_MARK = re.compile(r"<(\w+):([^<>]*)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """A finished sentence and its slot values, in their order."""

    text: str
    slots: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedSpan:
    """Characters `start` to `end` (excluded) of a text, and their kind."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """The sections of one grammar: `words` of its own, `lines` its templates.

    `bound` names slots that only the caller of `expand` gives values for. With a `skew` of 1 every
    entry of a section is equally likely; with s > 1 the entry at rank r of n is drawn with a
    probability near (r / n) ** (1 / s - 1) / (s n), so that late entries are rare, as words are.
    """

    words: Mapping[str, tuple[str, ...]]
    lines: Mapping[str, tuple[str, ...]]
    inherited: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bound: frozenset[str] = frozenset()
    skew: float = 1.0

    def __post_init__(self) -> None:
        """Check that every slot of every entry is defined.

        Raises:
            GrammarError: an entry names a section that neither this grammar nor its base has.
        """
        known = {*self.words, *self.inherited, *self.bound}
        for entries in (*self.words.values(), *self.lines.values()):
            for entry in entries:
                for slot in _SLOT.findall(entry):
                    if not self._is_literal(slot) and slot not in known:
                        raise GrammarError(
                            f"the entry {entry!r} names the slot {slot!r}, which no section "
                            f"defines; add a [{slot}] section or correct the name"
                        )

    def expand(
        self, template: str, rng: Random, bound: Mapping[str, str] | None = None
    ) -> Expansion:
        """Fill every slot of a template at random.

        Args:
            template: text with slots.
            rng: the source of chance; its state advances.
            bound: slots whose value is given; the same value at each occurrence.

        Returns:
            The text without slots, and the values of the slots that name sections.
        """
        slots: list[tuple[str, str]] = []
        text = self._fill(template, rng, bound or {}, slots, 0)
        return Expansion(text=text, slots=tuple(slots))

    def _fill(
        self,
        template: str,
        rng: Random,
        bound: Mapping[str, str],
        slots: list[tuple[str, str]],
        depth: int,
    ) -> str:
        if depth > MAX_DEPTH:
            raise GrammarError(
                f"{template!r} nests deeper than {MAX_DEPTH}: does a slot name itself?"
            )

        def value(match: re.Match[str]) -> str:
            slot: str = match.group(1)
            if slot in bound:
                text = bound[slot]
            elif "|" in slot:
                return rng.choice(slot.split("|"))
            elif numbers := _NUMBER_RANGE.fullmatch(slot):
                return str(rng.randint(int(numbers[1]), int(numbers[2])))
            else:
                entries = self.words.get(slot) or self.inherited[slot]
                text = self._fill(self._pick(entries, rng), rng, bound, slots, depth + 1)
            slots.append((slot, text))
            return text

        return _SLOT.sub(value, template)

    def _pick(self, entries: tuple[str, ...], rng: Random) -> str:
        if self.skew == 1:
            return rng.choice(entries)
        return entries[int(len(entries) * rng.random() ** self.skew)]

    @staticmethod
    def _is_literal(slot: str) -> bool:
        return "|" in slot or _NUMBER_RANGE.fullmatch(slot) is not None


def load_grammar(
    path: Path, base: Grammar | None = None, bound: Collection[str] = (), skew: float = 1.0
) -> Grammar:
    """Read a grammar file.

    Args:
        path: a UTF-8 text file of sections.
        base: a grammar whose words this one may use too.
        bound: slots that the caller of `expand` gives values for.
        skew: how much rarer a section's late entries are than its first; 1 is not at all.

    Raises:
        GrammarError: an entry stands before the first section, a section is empty or doubled, or
            an entry names an unknown slot.
    """
    sections: dict[str, list[str]] = {}
    name = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        if entry.startswith("[") and entry.endswith("]"):
            name = entry
            if name in sections:
                raise GrammarError(f"{path}:{number}: a second section {name}; join the two")
            sections[name] = []
        elif not name:
            raise GrammarError(f"{path}:{number}: {entry!r} stands before the first [section]")
        elif name.startswith("[["):
            sections[name].append(entry)
        else:
            sections[name].extend(word.replace("_", " ") for word in entry.split())
    for section, entries in sections.items():
        if not entries:
            raise GrammarError(f"{path}: the section {section} is empty; fill or remove it")
    return Grammar(
        words={n[1:-1]: tuple(e) for n, e in sections.items() if not n.startswith("[[")},
        lines={n[2:-2]: tuple(e) for n, e in sections.items() if n.startswith("[[")},
        inherited={**base.inherited, **base.words} if base else {},
        bound=frozenset(bound),
        skew=skew,
    )


def strip_marks(marked: str) -> tuple[str, tuple[MarkedSpan, ...]]:
    """Take the marks out of a sentence; returns the plain text and its spans, in their order."""
    parts: list[str] = []
    spans: list[MarkedSpan] = []
    length = 0
    last = 0
    for mark in _MARK.finditer(marked):
        before, inside = marked[last : mark.start()], mark[2]
        start = length + len(before)
        spans.append(MarkedSpan(kind=mark[1], start=start, end=start + len(inside)))
        parts += [before, inside]
        length = start + len(inside)
        last = mark.end()
    parts.append(marked[last:])
    return "".join(parts), tuple(spans)
