"""Score texts, or pairs of texts, on a Triton server: one number each.

The command line of regression. From Python use `ernie_triton.client.RegressionClient`.

    ernie-triton ask regression --text 花呗怎么提前还款 --text-pair 花呗可以提前还清吗
"""

from __future__ import annotations

import argparse
from functools import partial

from ernie_triton.client.cli.job import Job, TaskCommand
from ernie_triton.client.cli.options import TextOption, Usage
from ernie_triton.client.cli.run import add_task_options, run_task
from ernie_triton.client.cli.sink import TablePrinter, cut_cell
from ernie_triton.client.core import Caller
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.client.items import TEXT, TEXT_PAIR
from ernie_triton.client.regression import RegressionCodec, Score
from ernie_triton.tasks import REGRESSION


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    add_task_options(parser, _COMMAND)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    return run_task(_COMMAND, arguments)


async def regression_job(_: argparse.Namespace, caller: Caller) -> Job[Score]:
    """The job of a regression model; no option changes it."""
    texts = await caller.input_names(REGRESSION)
    return Job(
        texts=texts,
        send=partial(caller.outcomes, codec=RegressionCodec()),
        json_from_result=lambda result: {"score": result.value, "truncated": result.truncated},
        printer=TablePrinter(("score", "cut"), texts, _cells_from_result),
        method=EVALUATION_METHODS[REGRESSION.name],
    )


def _cells_from_result(result: Score) -> list[tuple[str, ...]]:
    return [(f"{result.value:.4f}", cut_cell(result.truncated))]


_COMMAND = TaskCommand(
    usage=Usage(
        description="Score texts, or pairs of texts, on a Triton server.",
        default_model=REGRESSION.default_model,
        texts=(
            TextOption(field=TEXT, help="a text to score"),
            TextOption(
                field=TEXT_PAIR,
                help="the second text of a pair, as often as --text",
                is_optional=True,
            ),
        ),
        examples='JSON lines of CLUE\'s format with a number "score"',
    ),
    new_job=regression_job,
)
