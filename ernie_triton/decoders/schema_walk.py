"""The way of one text through its schema: prompts out, spans in, depth by depth.

A prompt is a name of the schema. Below the first depth it is a span that was found, 的, and a name.
The prompts of one depth do not depend on each other, so they run together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ernie_triton.decoders.pointers import FoundSpan
from ernie_triton.decoders.schema import SchemaNode

_OF = "的"
_HALF_WIDTH = {code + 0xFEE0: code for code in range(0x21, 0x7F)}


@dataclass(frozen=True, slots=True)
class _Asked:
    """One prompt: the names to put its spans under, and what is asked of them in turn."""

    prompt: str
    node: SchemaNode
    parent: dict[str, Any] | None


class SchemaWalk:
    """One text's answers so far, and the prompts of the next depth.

    Attributes:
        result: PaddleNLP's structure: for each name its spans, with `relations` of their own.
    """

    def __init__(self, schema: Sequence[SchemaNode]) -> None:
        """Start at the first depth."""
        self.result: dict[str, Any] = {}
        self._asked = [_Asked(half_width(node.name), node, None) for node in schema]

    @property
    def prompts(self) -> list[str]:
        """The prompts of this depth; empty at the end."""
        return [asked.prompt for asked in self._asked]

    def take(self, found: Sequence[Sequence[FoundSpan]]) -> None:
        """Take the spans of each prompt, and go one depth down."""
        following: list[_Asked] = []
        for asked, spans in zip(self._asked, found, strict=True):
            if not spans:
                continue
            parent = asked.parent
            names = self.result if parent is None else parent.setdefault("relations", {})
            records = [_record(span) for span in spans]
            known = names.setdefault(asked.node.name, [])
            # A name may stand twice in a schema. As in PaddleNLP its spans are then listed twice,
            # and what is asked of them is listed under the first.
            heads = [
                next((one for one in known if _same(one, record)), record) for record in records
            ]
            known.extend(records)
            for child in asked.node.children:
                following.extend(
                    _Asked(half_width(f"{head['text']}{_OF}{child.name}"), child, head)
                    for head in heads
                )
        self._asked = following


def half_width(prompt: str) -> str:
    """A prompt as PaddleNLP gives it to the model: without full-width letters and signs."""
    return prompt.translate(_HALF_WIDTH)


def _record(span: FoundSpan) -> dict[str, Any]:
    record: dict[str, Any] = {"text": span.text}
    if span.is_in_text:
        record |= {"start": span.start, "end": span.end}
    return {**record, "probability": round(span.probability, 6)}


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("text", "start", "end"))
