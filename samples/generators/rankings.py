"""Draw queries with the questions that ask the same, and others that look alike.

The questions are those of `similarity`, for which the sample's model was trained: what fits has
everything in common with the query, the others differ in the product, in the intent, or in both.
"""

from dataclasses import dataclass
from random import Random

from samples.generators.afqmc import BOUND_SLOTS, ask
from samples.generators.similarity import LEVELS, ScoredPairDrawer, make_drawer

_FITTING = 2
_OTHERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedQuery:
    """A query, the documents that fit it, and the others."""

    query: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return the three keys of a line."""
        return {
            "query": self.query,
            "positives": list(self.positives),
            "negatives": list(self.negatives),
        }


def draw_rankings(queries: int, seed: int) -> list[RankedQuery]:
    """Draw so many queries; a seed always gives the same."""
    drawer, rng = make_drawer(), Random(f"rankings {seed}")
    return [_draw(drawer, rng) for _ in range(queries)]


def _draw(drawer: ScoredPairDrawer, rng: Random) -> RankedQuery:
    family = rng.choice(tuple(drawer.families))
    intent = rng.choice(drawer.families[family])
    values = {slot: rng.choice(drawer.grammar.words[slot]) for slot in BOUND_SLOTS}
    query = ask(drawer.grammar, rng.choice(drawer.grammar.lines[intent]), values, rng)

    def document(level: str) -> str:
        template = rng.choice(drawer.answers(level, family, intent))
        used = drawer.other_values(values, rng) if level.endswith("value") else values
        return ask(drawer.grammar, template, used, rng)

    fitting = [document("same") for _ in range(_FITTING)]
    levels = [level for level in LEVELS if level not in ("same", "value")]
    others = [document(rng.choice(levels)) for _ in range(_OTHERS)]
    return RankedQuery(query=query, positives=tuple(fitting), negatives=tuple(others))
