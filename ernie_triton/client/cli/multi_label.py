"""Find all labels of texts, or of pairs of texts, on a Triton server.

The command line of multi-label classification. From Python use
`ernie_triton.client.MultiLabelClient`.

    ernie-triton ask multi_label --text 手机厂商股价大涨，新款芯片下月发布
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial

from ernie_triton.client.cli.job import SECOND_TEXT, Job, TaskCommand, TextOption, Usage
from ernie_triton.client.cli.options import positive_int
from ernie_triton.client.cli.run import command_functions
from ernie_triton.client.cli.sink import TablePrinter, cut_cell
from ernie_triton.client.core import Caller
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.client.items import TEXT
from ernie_triton.client.tasks.multi_label import LabelSet, MultiLabelCodec
from ernie_triton.client.tasks.seq_cls import Label, label_count
from ernie_triton.tasks import MULTI_LABEL


async def multi_label_job(found: argparse.Namespace, caller: Caller) -> Job[LabelSet]:
    """The job of a multi-label model for the given options."""
    texts = await caller.input_names(MULTI_LABEL)
    codec = MultiLabelCodec(label_count=await label_count(caller), top_k=found.top_k or 0)
    columns = ("label", "score", "selected", "cut")
    return Job(
        texts=texts,
        send=partial(caller.outcomes, codec=codec),
        json_from_result=_json_from_result,
        printer=TablePrinter(columns, texts, _cells_from_result),
        method=EVALUATION_METHODS[MULTI_LABEL.name],
    )


def json_from_labels(labels: Sequence[Label]) -> list[dict[str, object]]:
    """Labels as JSON objects."""
    return [{"label": label.name, "id": label.id, "score": label.score} for label in labels]


def _add_top_k(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--top-k",
        type=positive_int,
        metavar="K",
        help="print the K likeliest labels of each text, best first (default: the labels that "
        "reach their threshold)",
    )


def _cells_from_result(result: LabelSet) -> Sequence[Sequence[str]]:
    """The likeliest labels where they were asked for, else the selected ones."""
    rows = [
        (
            label.name,
            f"{label.score:.4f}",
            "yes" if label in result.labels else "",
            "" if place else cut_cell(result.truncated),
        )
        for place, label in enumerate(result.likeliest or result.labels)
    ]
    return rows or [("", "", "", cut_cell(result.truncated))]


def _json_from_result(result: LabelSet) -> Mapping[str, object]:
    """The selected labels, and the likeliest where they were asked for."""
    record: dict[str, object] = {
        "labels": json_from_labels(result.labels),
        "truncated": result.truncated,
    }
    if result.likeliest:
        record["likeliest"] = json_from_labels(result.likeliest)
    return record


add_options, run = command_functions(
    TaskCommand(
        usage=Usage(
            description="Find all labels of texts, or of pairs of texts, on a Triton server.",
            default_model=MULTI_LABEL.default_model,
            texts=(TextOption(field=TEXT, help="a text to classify"), SECOND_TEXT),
            examples='JSON lines of CLUE\'s format with a list "labels"',
        ),
        add_options=_add_top_k,
        new_job=multi_label_job,
    )
)
