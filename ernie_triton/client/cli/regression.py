"""Score texts, or pairs of texts, on a Triton server: one number each.

The command line of regression. From Python use `ernie_triton.client.RegressionClient`.

    ernie-triton ask regression --text 花呗怎么提前还款 --text-pair 花呗可以提前还清吗
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from ernie_triton.client.cli.job import SECOND_TEXT, Job, TaskCommand, TextOption, Usage
from ernie_triton.client.cli.run import command_functions
from ernie_triton.client.cli.sink import TablePrinter, cut_cell
from ernie_triton.client.core import Caller, Send
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.client.items import TEXT
from ernie_triton.client.tasks.regression import RegressionCodec, Score
from ernie_triton.tasks import REGRESSION


async def regression_job(_: argparse.Namespace, caller: Caller) -> Job[Score]:
    """The job of a regression model; no option changes it."""
    texts = await caller.input_names(REGRESSION)
    job = score_job(texts, partial(caller.outcomes, codec=RegressionCodec()))
    return replace(job, method=EVALUATION_METHODS[REGRESSION.name])


def score_job(texts: tuple[str, ...], send: Send[Score], *, model_rows: int = 1) -> Job[Score]:
    """The job of scores of texts with these names; each is `model_rows` rows to the model."""
    return Job(
        texts=texts,
        send=send,
        json_from_result=_json_from_score,
        printer=TablePrinter(("score", "cut"), texts, _cells_from_score),
        model_rows=model_rows,
    )


def _json_from_score(result: Score) -> Mapping[str, object]:
    return {"score": result.value, "truncated": result.truncated}


def _cells_from_score(result: Score) -> list[tuple[str, ...]]:
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
