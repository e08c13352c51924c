"""Texts with their entities marked."""

from __future__ import annotations

from ernie_triton.client.cli.marking import MarkPrinter, marked_text
from ernie_triton.client.cli.stream import Outcome
from ernie_triton.client.items import Item
from ernie_triton.client.token_cls import Entity


def entity(start: int, end: int, label: str = "LOC") -> Entity:
    return Entity(text="", label=label, start=start, end=end, score=1.0)


def test_entities_are_marked_in_their_place() -> None:
    assert marked_text("北京的涮肉", [entity(0, 2)]) == "[北京|LOC]的涮肉"
    adjacent = [entity(1, 2), entity(2, 4, "PER")]
    assert marked_text("在甲乙丙", adjacent) == "在[甲|LOC][乙丙|PER]"
    assert marked_text("无", []) == "无"


def test_a_text_stays_on_one_line_and_cannot_drive_the_terminal() -> None:
    marked = marked_text("a\nb\x1b[2J", [entity(0, 3)])
    assert marked == "[a b|LOC]\N{REPLACEMENT CHARACTER}[2J"


def test_colours_are_for_terminals() -> None:
    outcome: Outcome[tuple[Entity, ...]] = Outcome(
        item=Item(line=1, texts=("北京",)), result=(entity(0, 2),)
    )
    assert MarkPrinter(colored=False).lines([outcome]) == ["[北京|LOC]"]
    [line] = MarkPrinter(colored=True).lines([outcome])
    assert line == "[\x1b[1m北京\x1b[0m|\x1b[36mLOC\x1b[0m]"
