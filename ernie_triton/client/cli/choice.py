"""Choose the answers to questions from options on a Triton server.

The command line of multiple choice. From Python use `ernie_triton.client.ChoiceClient`.

    ernie-triton ask choice --context 早餐不好吃。 --question 什么不好？ --option 房间 --option 早餐
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial

from ernie_triton.client.cli.job import Job, TaskCommand, TextOption, Usage
from ernie_triton.client.cli.run import command_functions
from ernie_triton.client.cli.sink import TablePrinter, cut_cell
from ernie_triton.client.core import Caller
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.client.items import TextField
from ernie_triton.client.tasks.choice import ChosenOption, choice_outcomes
from ernie_triton.tasks import CHOICE
from ernie_triton.text_table import clipped

_WIDTH = 48


async def _new_job(_found: argparse.Namespace, caller: Caller) -> Job[ChosenOption]:
    texts = await caller.input_names(CHOICE)
    return Job(
        texts=texts,
        send=partial(choice_outcomes, caller),
        json_from_result=_json_from_result,
        printer=TablePrinter(
            ("index", "option", "probability", "cut"), texts[:1], _cells_from_result
        ),
        method=EVALUATION_METHODS[CHOICE.name],
    )


def _cells_from_result(result: ChosenOption) -> list[tuple[str, ...]]:
    option = clipped(result.option, _WIDTH)
    cut = cut_cell(any(result.truncated))
    return [(f"{result.index}", option, f"{result.probability:.4f}", cut)]


def _json_from_result(result: ChosenOption) -> Mapping[str, object]:
    return {
        "index": result.index,
        "option": result.option,
        "probabilities": result.probabilities,
        "scores": result.scores,
        "truncated": result.truncated,
    }


add_options, run = command_functions(
    TaskCommand(
        usage=Usage(
            description="Choose the answers to questions from options on a Triton server.",
            default_model=CHOICE.default_model,
            texts=(
                TextOption(field=TextField(input="context", keys=("context",)), help="the context"),
                TextOption(
                    field=TextField(input="question", keys=("question",)), help="the question"
                ),
                TextOption(
                    field=TextField(input="options", keys=("options", "choice"), is_list=True),
                    help="an option",
                ),
            ),
            examples='C3\'s document, CHID\'s JSON lines, or lines {"context", "question", '
            '"options", "answer"}',
        ),
        new_job=_new_job,
    )
)
