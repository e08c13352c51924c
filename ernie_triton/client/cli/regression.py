"""Score texts, or pairs of texts, on a Triton server: one number each.

The command line of regression. From Python use `ernie_triton.client.RegressionClient`.

    ernie-triton ask regression --text 花呗怎么提前还款 --text-pair 花呗可以提前还清吗
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial

from ernie_triton.client.cli.job import SECOND_TEXT, Job, TaskCommand, TextOption, Usage
from ernie_triton.client.cli.run import command_functions
from ernie_triton.client.cli.sink import TablePrinter, cut_cell
from ernie_triton.client.core import Caller
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.client.items import TEXT
from ernie_triton.client.regression import RegressionCodec, Score
from ernie_triton.tasks import REGRESSION


async def regression_job(_: argparse.Namespace, caller: Caller) -> Job[Score]:
    """The job of a regression model; no option changes it."""
    texts = await caller.input_names(REGRESSION)
    return Job(
        texts=texts,
        send=partial(caller.outcomes, codec=RegressionCodec()),
        json_from_result=json_from_score,
        printer=TablePrinter(("score", "cut"), texts, cells_from_score),
        method=EVALUATION_METHODS[REGRESSION.name],
    )


def json_from_score(result: Score) -> Mapping[str, object]:
    """A score as `--json` prints it."""
    return {"score": result.value, "truncated": result.truncated}


def cells_from_score(result: Score) -> list[tuple[str, ...]]:
    """A score as a row of the table."""
    return [(f"{result.value:.4f}", cut_cell(result.truncated))]


add_options, run = command_functions(
    TaskCommand(
        usage=Usage(
            description="Score texts, or pairs of texts, on a Triton server.",
            default_model=REGRESSION.default_model,
            texts=(TextOption(field=TEXT, help="a text to score"), SECOND_TEXT),
            examples='JSON lines of CLUE\'s format with a number "score"',
        ),
        new_job=regression_job,
    )
)
