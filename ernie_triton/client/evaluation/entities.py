"""Score entities on lines of MSRA_NER's format: tokens, and a label for each.

Labels become entities as in seqeval's default mode.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TypeGuard

from ernie_triton.client.evaluation.typed_scores import TypedScores
from ernie_triton.client.items import Item, items_from_objects
from ernie_triton.client.tasks.token_cls import Entity
from ernie_triton.errors import DatasetError

Span = tuple[str, int, int]
"""A type, its first label's index, and the index after its last."""


def items_from_tokens(lines: Iterable[bytes]) -> Iterator[Item]:
    """One item for each line `{"tokens": [...], "labels": [...]}`: the tokens joined to a text."""
    return items_from_objects(lines, _item_from_tokens)


class EntityScorer(TypedScores):
    """Precision, recall and F1 of entities, all together and for each type.

    An entity is right if its type, its first and its last character are right.
    """

    def add(self, item: Item, result: tuple[Entity, ...]) -> None:
        """Count one line.

        Raises:
            DatasetError: the line does not have one label for each token.
        """
        answers = {(entity.label, entity.start, entity.end) for entity in result}
        self.count(set(_gold_spans(item)), answers)


def spans_from_labels(labels: Sequence[str]) -> list[Span]:
    """The entities of BIO or BIOES labels, in their order.

    `B-` and `S-` open an entity. `I-` and `E-` continue one if a `B-` or `I-` of their type comes
    just before them; otherwise they open one. Equal labels without a prefix are one entity.
    """
    spans: list[Span] = []
    before, kind_before = "O", ""
    for index, label in enumerate(labels):
        prefix, dash, kind = label.partition("-")
        if not dash and label != "O":
            prefix, kind = "I", label
        if prefix in "IE" and before in "BI" and kind == kind_before:
            _, first, _ = spans.pop()
            spans.append((kind, first, index + 1))
        elif prefix != "O":
            spans.append((kind, index, index + 1))
        before, kind_before = prefix, kind
    return spans


def _item_from_tokens(line: int, record: dict[str, object]) -> Item:
    tokens = record.get("tokens")
    if not _is_strings(tokens):
        found = ", ".join(record) or "no keys"
        return Item(line=line, error=f"the object has {found}, expected tokens as strings")
    return Item(line=line, texts=("".join(tokens),), record=record)


def _gold_spans(item: Item) -> Iterator[Span]:
    """The gold entities in characters of the text."""
    tokens, labels = item.record.get("tokens"), item.record.get("labels")
    if not _is_strings(tokens) or not _is_strings(labels) or len(tokens) != len(labels):
        raise DatasetError(
            f'{item.place}: no label for each token, expected "labels" with as many strings as '
            '"tokens"; evaluate on a labelled split (train or dev)'
        )
    starts = [0, *accumulate(map(len, tokens))]
    for kind, first, end in spans_from_labels(labels):
        yield kind, starts[first], starts[end]


def _is_strings(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
