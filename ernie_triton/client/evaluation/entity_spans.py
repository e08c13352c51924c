"""The entities of a row of labels, as seqeval's default mode defines them."""

from __future__ import annotations

from collections.abc import Sequence

Span = tuple[str, int, int]
"""A type, its first label's index, and the index after its last."""


def spans_from_labels(labels: Sequence[str]) -> list[Span]:
    """The entities of BIO or BIOES labels, in their order.

    `B-` and `S-` open an entity. So do `I-` and `E-`, unless a `B-` or `I-` of their type stands
    before them. Labels without such a prefix are one entity as long as they repeat.
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
