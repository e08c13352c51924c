"""Find entities in texts on a Triton server.

The command line of token classification. From Python use `ernie_triton.client.TokenClsClient`.

    ernie-triton ask token_cls --text 北京的涮肉 --mark
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from functools import partial

from ernie_triton.client.cli.job import Job, TaskCommand, TextOption, Usage
from ernie_triton.client.cli.run import command_functions
from ernie_triton.client.cli.sink import TablePrinter, opened_text_sink
from ernie_triton.client.cli.stream import Outcome
from ernie_triton.client.core import Caller
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.client.items import TextField
from ernie_triton.client.tasks.token_cls import Entity, EntityCodec, Token, TokenCodec
from ernie_triton.errors import UsageError
from ernie_triton.tasks import TOKEN_CLS
from ernie_triton.text_table import clipped, on_one_line

_COLUMNS = ("label", "score", "start", "end")
_WIDTH = 40
_BOLD, _CYAN, _PLAIN = "\x1b[1m", "\x1b[36m", "\x1b[0m"


class MarkPrinter:
    """One line for each text with its entities marked; an empty line for a text that failed."""

    def __init__(self, *, colored: bool) -> None:
        self._colored = colored

    def lines(self, outcomes: Sequence[Outcome[tuple[Entity, ...]]]) -> list[str]:
        """The lines of the next outcomes, without ends."""
        return [
            ""
            if outcome.result is None
            else marked_text(outcome.item.texts[0], outcome.result, colored=self._colored)
            for outcome in outcomes
        ]


def marked_text(text: str, entities: Sequence[Entity], *, colored: bool = False) -> str:
    """The text on one line with its entities in brackets, as in `[北京|LOC]的涮肉`.

    Args:
        text: the text.
        entities: in the order of the text.
        colored: use the colours of a terminal.
    """
    pieces: list[str] = []
    at = 0
    for entity in entities:
        pieces.append(on_one_line(text[at : entity.start]))
        pieces.append(_mark(on_one_line(text[entity.start : entity.end]), entity.label, colored))
        at = entity.end
    return "".join([*pieces, on_one_line(text[at:])])


def _mark(text: str, label: str, colored: bool) -> str:
    if colored:
        return f"[{_BOLD}{text}{_PLAIN}|{_CYAN}{label}{_PLAIN}]"
    return f"[{text}|{label}]"


def _add_options(parser: argparse.ArgumentParser) -> None:
    shown = parser.add_argument_group("entities").add_mutually_exclusive_group()
    shown.add_argument(
        "--mark",
        action="store_true",
        help="print each text with its entities marked, as in [北京|LOC]的涮肉",
    )
    shown.add_argument(
        "--tokens",
        action="store_true",
        help="print every word with its label instead of entities, if the model was built with "
        "per-token output",
    )


def _check_options(found: argparse.Namespace) -> None:
    if found.mark and found.json:
        raise UsageError("--mark and --json: choose one")
    if found.tokens and found.evaluate:
        raise UsageError("--evaluate scores entities, not --tokens")


async def _new_job(
    found: argparse.Namespace, caller: Caller
) -> Job[tuple[Entity, ...]] | Job[tuple[Token, ...]]:
    texts = await caller.input_names(TOKEN_CLS)
    return _token_job(caller, texts) if found.tokens else _entity_job(found, caller, texts)


def _entity_job(
    found: argparse.Namespace, caller: Caller, texts: tuple[str, ...]
) -> Job[tuple[Entity, ...]]:
    table = TablePrinter[tuple[Entity, ...]](("entity", *_COLUMNS), texts, _cells_from_result)
    marks = MarkPrinter(colored=sys.stdout.isatty() and found.output is None)
    return Job(
        texts=texts,
        send=partial(caller.outcomes, codec=EntityCodec()),
        json_from_result=lambda result: {"entities": _json_from_result(result)},
        printer=marks if found.mark else table,
        method=EVALUATION_METHODS[TOKEN_CLS.name],
        open_file=partial(opened_text_sink, printer=marks) if found.mark else None,
    )


def _token_job(caller: Caller, texts: tuple[str, ...]) -> Job[tuple[Token, ...]]:
    return Job(
        texts=texts,
        send=partial(caller.outcomes, codec=TokenCodec()),
        json_from_result=lambda result: {"tokens": _json_from_result(result)},
        printer=TablePrinter[tuple[Token, ...]](("token", *_COLUMNS), texts, _cells_from_result),
    )


def _cells_from_result(result: Sequence[Entity | Token]) -> Sequence[Sequence[str]]:
    rows = [
        (clipped(one.text, _WIDTH), one.label, f"{one.score:.4f}", f"{one.start}", f"{one.end}")
        for one in result
    ]
    return rows or [("",) * (1 + len(_COLUMNS))]


def _json_from_result(result: Sequence[Entity | Token]) -> list[Mapping[str, object]]:
    return [dataclasses.asdict(one) for one in result]


add_options, run = command_functions(
    TaskCommand(
        usage=Usage(
            description="Find entities in texts on a Triton server.",
            default_model=TOKEN_CLS.default_model,
            texts=(
                TextOption(
                    field=TextField(input="text", keys=("text", "sentence")),
                    help="a text to search",
                ),
            ),
            examples='JSON lines {"tokens": [...], "labels": [...]} (MSRA_NER)',
            output="JSON lines, or the texts of --mark",
        ),
        add_options=_add_options,
        check_options=_check_options,
        new_job=_new_job,
    )
)
