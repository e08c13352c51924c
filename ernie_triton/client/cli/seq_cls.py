"""Classify texts, or pairs of texts, on a Triton server: one label, several, or a score.

The command line of sequence classification. It also serves models of `multi_label` and
`regression`: the model's outputs tell its task. From Python use `ernie_triton.client.SeqClsClient`.

    ernie-triton ask seq_cls --text 今天的股市大涨 --text 球队赢得了冠军 --top-k 3
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial

from ernie_triton.client.cli.job import SECOND_TEXT, Job, TaskCommand, TextOption, Usage
from ernie_triton.client.cli.multi_label import json_from_labels, multi_label_job
from ernie_triton.client.cli.options import positive_int
from ernie_triton.client.cli.regression import regression_job
from ernie_triton.client.cli.run import command_functions
from ernie_triton.client.cli.sink import TablePrinter, cut_cell
from ernie_triton.client.core import Caller
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.client.items import TEXT
from ernie_triton.client.tasks.multi_label import LabelSet
from ernie_triton.client.tasks.regression import Score
from ernie_triton.client.tasks.seq_cls import Classification, SeqClsCodec
from ernie_triton.errors import ContractError
from ernie_triton.tasks import SEQ_CLS


def _add_top_k(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--top-k",
        type=positive_int,
        metavar="K",
        help="labels of each text, best first (default: 1; of a multi-label model those that "
        "reach their threshold)",
    )


async def _new_job(
    found: argparse.Namespace, caller: Caller
) -> Job[Classification] | Job[LabelSet] | Job[Score]:
    outputs = (await caller.facts()).outputs
    if "selected" in outputs:
        return await multi_label_job(found, caller)
    if "score" in outputs and "scores" not in outputs:
        if found.top_k:
            raise ContractError(f"{found.model} gives a score, not labels; leave --top-k out")
        return await regression_job(found, caller)
    return await _single_label_job(found, caller)


async def _single_label_job(found: argparse.Namespace, caller: Caller) -> Job[Classification]:
    texts = await caller.input_names(SEQ_CLS)
    return Job(
        texts=texts,
        send=partial(caller.outcomes, codec=SeqClsCodec(top_k=found.top_k or 1)),
        json_from_result=_json_from_result,
        printer=TablePrinter(("label", "score", "cut"), texts, _cells_from_result),
        method=EVALUATION_METHODS[SEQ_CLS.name],
    )


def _cells_from_result(result: Classification) -> list[tuple[str, ...]]:
    return [
        (label.name, f"{label.score:.4f}", "" if place else cut_cell(result.truncated))
        for place, label in enumerate(result.labels)
    ]


def _json_from_result(result: Classification) -> Mapping[str, object]:
    """The best label, and all of them where more than one was asked for."""
    best = result.best
    record: dict[str, object] = {
        "label": best.name,
        "id": best.id,
        "score": best.score,
        "truncated": result.truncated,
    }
    if len(result.labels) > 1:
        record["labels"] = json_from_labels(result.labels)
    return record


add_options, run = command_functions(
    TaskCommand(
        usage=Usage(
            description="Classify texts, or pairs of texts, on a Triton server. Multi-label models "
            "give all their labels, regression models a score.",
            default_model=SEQ_CLS.default_model,
            texts=(TextOption(field=TEXT, help="a text to classify"), SECOND_TEXT),
            examples='JSON lines of CLUE\'s format with "label"; "labels" for a multi-label model, '
            '"score" for regression',
        ),
        add_options=_add_top_k,
        new_job=_new_job,
    )
)
