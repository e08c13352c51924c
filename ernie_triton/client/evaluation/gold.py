"""Gold labels of an example's JSON object: label names or ids, and numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ernie_triton.client.items import Item
from ernie_triton.errors import DatasetError

_SHOWN_LABELS = 20


class GoldLabels:
    """The labels of the model, to find gold labels among them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._id_from_name = {name: index for index, name in reversed(list(enumerate(names)))}

    def id_of(self, item: Item, golds: Sequence[str]) -> int:
        """The id of the label that goes by these names: the first known one, else the last as id.

        Raises:
            DatasetError: the model does not know it.
        """
        for gold in golds:
            if gold in self._id_from_name:
                return self._id_from_name[gold]
        if golds[-1].isdecimal() and int(golds[-1]) < len(self.names):
            return int(golds[-1])
        known = ", ".join(self.names[:_SHOWN_LABELS])
        more = ", …" if len(self.names) > _SHOWN_LABELS else ""
        raise DatasetError(
            f"{item.place}: the gold label {' / '.join(golds)} is none of the model's "
            f"{len(self.names)} ({known}{more}); evaluate with the labels it was trained on"
        )


def gold_number(item: Item, keys: Sequence[str]) -> float:
    """The finite number under the first of the keys that is there; a number in a string is one.

    Raises:
        DatasetError: there is none.
    """
    key = next((key for key in keys if key in item.record), None)
    if key is None:
        raise DatasetError(
            f"{item.place}: no {' or '.join(keys)}; evaluate on a labelled split (train or dev)"
        )
    value = item.record[key]
    try:
        number = float(value) if isinstance(value, (int, float, str)) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise DatasetError(f"{item.place}: {key} is {value!r:.40}, expected a number")
    return number
