"""Score cloze on texts whose missing tokens are known: the share of masks filled in rightly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ernie_triton.client.evaluation.report import figure_lines
from ernie_triton.client.items import Item, items_from_objects
from ernie_triton.client.tasks.cloze import FilledText, cloze_parameters
from ernie_triton.errors import DatasetError


def items_from_cloze(lines: Iterable[bytes]) -> Iterable[Item]:
    """One item for each line with `text` and `answer`; `candidates` may stand beside them.

    The answer is a token for each mask: a list, or for masks of one character each a string.
    """
    return items_from_objects(lines, _item)


class ClozeScorer:
    """The share of masks whose likeliest token is the answer, upper and lower case alike."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self._masks = self._right = 0

    def add(self, item: Item, result: FilledText) -> None:
        """Count the masks of one text.

        Raises:
            DatasetError: it has another number of answers than of masks.
        """
        answer, masks = item.record["answer"], len(result.masks)
        golds = [answer] if isinstance(answer, str) and masks == 1 else [*map(str, answer)]  # type: ignore[call-overload]
        if len(golds) != masks:
            raise DatasetError(
                f"{item.place}: {len(golds)} answers for {masks} masks; give a list of one for each"
            )
        self._masks += masks
        self._right += sum(
            gold.lower() == token.lower() for gold, token in zip(golds, result.best, strict=True)
        )

    def lines(self) -> list[str]:
        """The report for a reader."""
        return figure_lines({"masks": self._masks, "accuracy": self._accuracy})

    def as_json(self) -> Mapping[str, object]:
        """The report for a program."""
        return {"masks": self._masks, "accuracy": self._accuracy}

    @property
    def _accuracy(self) -> float:
        return self._right / self._masks if self._masks else 0.0


def _item(line: int, record: dict[str, object]) -> Item:
    text, answer, candidates = (record.get(key) for key in ("text", "answer", "candidates"))
    if not isinstance(text, str) or not isinstance(answer, str | list):
        found = ", ".join(record) or "no keys"
        return Item(line=line, error=f"the object has {found}, expected text and answer")
    if candidates is not None and not isinstance(candidates, list):
        return Item(line=line, error=f"candidates is {candidates!r:.40}, expected a list")
    asked = cloze_parameters(1, candidates)
    return Item(line=line, texts=(text, asked), record=record)
