"""Answer questions about contexts on a Triton server.

The command line of question answering. From Python use `ernie_triton.client.QaClient`.

    ernie-triton ask qa --question 北京是哪国的首都？ --context 北京是中国的首都。
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial

from ernie_triton.client.cli.job import Job, TaskCommand, TextOption, Usage
from ernie_triton.client.cli.options import positive_int
from ernie_triton.client.cli.run import command_functions
from ernie_triton.client.cli.sink import TablePrinter
from ernie_triton.client.core import Caller
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.client.items import TextField
from ernie_triton.client.tasks.qa import Answer, Candidate, QaCodec
from ernie_triton.tasks import QA
from ernie_triton.text_table import clipped

_WIDTH = 40


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--n-best",
        type=positive_int,
        default=1,
        metavar="N",
        help="number of candidates for each answer, best first (default: %(default)s, the answer "
        "alone)",
    )


async def _new_job(found: argparse.Namespace, caller: Caller) -> Job[Answer]:
    texts = await caller.input_names(QA)
    cells = partial(_cells_from_result, n_best=found.n_best)
    return Job(
        texts=texts,
        send=partial(caller.outcomes, codec=QaCodec()),
        json_from_result=partial(_json_from_result, n_best=found.n_best),
        printer=TablePrinter(("answer", "score", "start", "end"), texts, cells),
        method=EVALUATION_METHODS[QA.name],
    )


def _cells_from_result(result: Answer, n_best: int) -> list[tuple[str, ...]]:
    """The answer, or the best candidates where more than one was asked for."""
    shown: Sequence[Answer | Candidate] = result.candidates[:n_best] if n_best > 1 else ()
    return [
        (clipped(one.text, _WIDTH) or "(none)", f"{one.score:.4f}", f"{one.start}", f"{one.end}")
        for one in shown or [result]
    ]


def _json_from_result(result: Answer, n_best: int) -> Mapping[str, object]:
    """The answer, and the best candidates where more than one was asked for."""
    record: dict[str, object] = {"answer": result.text, **_json_from_span(result)}
    if n_best > 1:
        record["n_best"] = [
            {"answer": one.text, **_json_from_span(one)} for one in result.candidates[:n_best]
        ]
    return record


def _json_from_span(result: Answer | Candidate) -> dict[str, object]:
    return {"score": result.score, "start": result.start, "end": result.end}


add_options, run = command_functions(
    TaskCommand(
        usage=Usage(
            description="Answer questions about contexts on a Triton server.",
            default_model=QA.default_model,
            texts=(
                TextOption(
                    field=TextField(input="question", keys=("question",)), help="a question"
                ),
                TextOption(
                    field=TextField(input="context", keys=("context",)),
                    help="the text to find its answer in",
                    is_long=True,
                ),
            ),
            examples="a JSON document of CMRC2018's or SQuAD's format",
        ),
        add_options=_add_options,
        new_job=_new_job,
    )
)
