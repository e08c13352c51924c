"""Fill in the masks of texts on a Triton server.

The command line of cloze. From Python use `ernie_triton.client.ClozeClient`.

    ernie-triton ask cloze --text '今天天[MASK]晴朗。' --candidate 气 --candidate 空
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from ernie_triton.client.cli.job import Job, TaskCommand, TextOption, Usage
from ernie_triton.client.cli.options import positive_int
from ernie_triton.client.cli.run import command_functions
from ernie_triton.client.cli.sink import TablePrinter, cut_cell
from ernie_triton.client.core import Caller, Row
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.client.items import TextField
from ernie_triton.client.tasks.cloze import ClozeCodec, FilledText, cloze_parameters
from ernie_triton.client.wire import utf8_from_text
from ernie_triton.errors import ClientError
from ernie_triton.tasks import CLOZE


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--top-k",
        type=positive_int,
        metavar="K",
        help="tokens for each mask (default: 5, or all candidates)",
    )
    parser.add_argument(
        "--candidate",
        action="append",
        metavar="TOKEN",
        help="a token to choose from, for every mask; repeatable (default: all)",
    )


async def _new_job(found: argparse.Namespace, caller: Caller) -> Job[FilledText]:
    texts = (await caller.input_names(CLOZE))[:1]
    asked = utf8_from_text(cloze_parameters(found.top_k, found.candidate))

    async def send(rows: Sequence[Row]) -> Sequence[FilledText | ClientError]:
        # The examples of an evaluation bring their own.
        return await caller.outcomes([(*row, asked)[:2] for row in rows], ClozeCodec())

    return Job(
        texts=texts,
        send=send,
        json_from_result=_json_from_result,
        printer=TablePrinter(("mask", "token", "probability", "cut"), texts, _cells_from_result),
        method=EVALUATION_METHODS[CLOZE.name],
    )


def _cells_from_result(result: FilledText) -> list[tuple[str, ...]]:
    cut = cut_cell(result.truncated)
    return [
        (f"{number}", one.token, f"{one.probability:.4f}", cut)
        for number, tokens in enumerate(result.masks, 1)
        for one in tokens
    ]


def _json_from_result(result: FilledText) -> Mapping[str, object]:
    masks = [[asdict(one) for one in tokens] for tokens in result.masks]
    return {"masks": masks, "truncated": result.truncated}


add_options, run = command_functions(
    TaskCommand(
        usage=Usage(
            description="Fill in the masks of texts on a Triton server.",
            default_model=CLOZE.default_model,
            texts=(
                TextOption(
                    field=TextField(input="text", keys=("text",)), help="a text with [MASK]"
                ),
            ),
            examples='JSON lines {"text", "answer"}, which may have "candidates"',
        ),
        add_options=_add_options,
        new_job=_new_job,
    )
)
