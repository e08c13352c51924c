"""Entities of BIO labels, as seqeval's default mode defines them."""

from collections.abc import Sequence

Entity = tuple[str, int, int]
"""The kind, and the indices of the first and the last label, both included."""


def entities_of(labels: Sequence[str]) -> list[Entity]:
    """The entities of a row of labels; an `I-` without its `B-` opens one."""
    entities: list[Entity] = []
    kind_before = ""
    for index, label in enumerate(labels):
        prefix, _, kind = label.partition("-")
        if prefix == "O":
            kind_before = ""
            continue
        if prefix == "I" and kind == kind_before:
            _, first, _ = entities.pop()
        else:
            first = index
        entities.append((kind, first, index))
        kind_before = kind
    return entities
