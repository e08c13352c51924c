"""Find entities in texts on a Triton server.

The command line of token classification, over `command`; from Python use `ernie_triton.client.token_cls`.

    ernie-triton ask token_cls --text 北京的涮肉 --mark
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from functools import partial

from ernie_triton.client.cli.job import Job, TaskCommand
from ernie_triton.client.cli.marking import MarkPrinter
from ernie_triton.client.cli.options import Usage
from ernie_triton.client.cli.run import add_task_options, run_task
from ernie_triton.client.cli.sink import TablePrinter, opened_text_sink
from ernie_triton.client.core import Caller
from ernie_triton.client.evaluation.entities import EntityScorer, items_from_tokens
from ernie_triton.client.items import TextField
from ernie_triton.client.token_cls import Entity, EntityCodec, Token, TokenCodec
from ernie_triton.errors import UsageError
from ernie_triton.tasks import TOKEN_CLS
from ernie_triton.text_table import clipped

_COLUMNS = ("label", "score", "start", "end")
_WIDTH = 40


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    add_task_options(parser, task_command())


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    return run_task(task_command(), arguments)


def task_command() -> TaskCommand:
    """What the common command line does for this task."""
    usage = Usage(
        description="Find entities in texts on a Triton server.",
        default_model=TOKEN_CLS.default_model,
        fields=(TextField(input="text", keys=("text", "sentence"), help="a text to search"),),
        examples='JSON lines {"tokens": [...], "labels": [...]} (MSRA_NER)',
        output="JSON lines, or the texts of --mark",
    )
    return TaskCommand(
        usage=usage, add_options=_add_options, check_options=_check_options, new_job=_new_job
    )


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
        help="every word with its label instead of entities, if the model was built with that",
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
        scorer=EntityScorer(),
        examples=items_from_tokens,
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
