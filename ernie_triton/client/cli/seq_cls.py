"""Classify texts, or pairs of texts, on a Triton server: one label, several, or a score.

The command line of sequence classification in its three forms, over `command`; which one a model
has is read from its outputs. From Python use `ernie_triton.client.seq_cls`, `multi_label` and `regression`.

    ernie-triton ask seq_cls --text 今天的股市大涨 --text 球队赢得了冠军 --top-k 3
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial

from ernie_triton.client.cli.job import Job, TaskCommand
from ernie_triton.client.cli.options import Usage, positive_int
from ernie_triton.client.cli.run import add_task_options, run_task
from ernie_triton.client.cli.sink import TablePrinter
from ernie_triton.client.core import Caller
from ernie_triton.client.evaluation.classification import ClassificationScorer
from ernie_triton.client.evaluation.multi_label import MultiLabelScorer
from ernie_triton.client.evaluation.numbers import RegressionScorer
from ernie_triton.client.items import TextField
from ernie_triton.client.multi_label import LabelSet, MultiLabelCodec
from ernie_triton.client.regression import RegressionCodec, Score
from ernie_triton.client.seq_cls import Classification, Label, SeqClsCodec, label_count, label_names
from ernie_triton.errors import ContractError
from ernie_triton.tasks import SEQ_CLS

_FIELDS = (
    TextField(input="text", keys=("text", "sentence", "sentence1"), help="a text to classify"),
    TextField(
        input="text_pair",
        keys=("text_pair", "sentence2"),
        help="the second text of a pair, as often as --text",
        is_optional=True,
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    add_task_options(parser, task_command())


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    return run_task(task_command(), arguments)


def task_command() -> TaskCommand:
    """What the common command line does for this task."""
    usage = Usage(
        description="Classify texts, or pairs of texts, on a Triton server. Multi-label models "
        "give all their labels, regression models a score.",
        default_model=SEQ_CLS.default_model,
        fields=_FIELDS,
        examples='JSON lines of CLUE\'s format with "label"; "labels" for a multi-label model, '
        '"score" for regression',
    )
    return TaskCommand(usage=usage, add_options=_add_options, new_job=_new_job)


def _add_options(parser: argparse.ArgumentParser) -> None:
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
        return await _multi_label_job(found, caller)
    if "score" in outputs and "scores" not in outputs:
        return await _regression_job(found, caller)
    return await _single_label_job(found, caller)


async def _single_label_job(found: argparse.Namespace, caller: Caller) -> Job[Classification]:
    texts = await caller.input_names(SEQ_CLS)
    return Job(
        texts=texts,
        send=partial(caller.outcomes, codec=SeqClsCodec(top_k=found.top_k or 1)),
        json_from_result=_json_from_classification,
        printer=TablePrinter(("label", "score", "cut"), texts, _cells_from_classification),
        scorer=ClassificationScorer(await label_names(caller)) if found.evaluate else None,
    )


async def _multi_label_job(found: argparse.Namespace, caller: Caller) -> Job[LabelSet]:
    texts = await caller.input_names(SEQ_CLS)
    codec = MultiLabelCodec(label_count=await label_count(caller), top_k=found.top_k or 0)
    columns = ("label", "score", "selected", "cut")
    return Job(
        texts=texts,
        send=partial(caller.outcomes, codec=codec),
        json_from_result=_json_from_label_set,
        printer=TablePrinter(columns, texts, _cells_from_label_set),
        scorer=MultiLabelScorer(await label_names(caller)) if found.evaluate else None,
    )


async def _regression_job(found: argparse.Namespace, caller: Caller) -> Job[Score]:
    if found.top_k:
        raise ContractError(f"{found.model} gives a score, not labels; leave --top-k out")
    texts = await caller.input_names(SEQ_CLS)
    return Job(
        texts=texts,
        send=partial(caller.outcomes, codec=RegressionCodec()),
        json_from_result=lambda result: {"score": result.value, "truncated": result.truncated},
        printer=TablePrinter(
            ("score", "cut"), texts, lambda result: [(f"{result.value:.4f}", _cut(result))]
        ),
        scorer=RegressionScorer(),
    )


def _cells_from_classification(result: Classification) -> list[tuple[str, ...]]:
    return [
        (label.name, f"{label.score:.4f}", "" if place else _cut(result))
        for place, label in enumerate(result.labels)
    ]


def _cells_from_label_set(result: LabelSet) -> Sequence[Sequence[str]]:
    """The likeliest labels where they were asked for, else those selected."""
    rows = [
        (
            label.name,
            f"{label.score:.4f}",
            "yes" if label in result.labels else "",
            "" if place else _cut(result),
        )
        for place, label in enumerate(result.likeliest or result.labels)
    ]
    return rows or [("", "", "", _cut(result))]


def _cut(result: Classification | LabelSet | Score) -> str:
    return "yes" if result.truncated else ""


def _json_from_classification(result: Classification) -> Mapping[str, object]:
    """The best label at hand, and all of them where more than one was asked for."""
    best = result.best
    record: dict[str, object] = {
        "label": best.name,
        "id": best.id,
        "score": best.score,
        "truncated": result.truncated,
    }
    if len(result.labels) > 1:
        record["labels"] = _json_from_labels(result.labels)
    return record


def _json_from_label_set(result: LabelSet) -> Mapping[str, object]:
    """The selected labels, and the likeliest where they were asked for."""
    record: dict[str, object] = {
        "labels": _json_from_labels(result.labels),
        "truncated": result.truncated,
    }
    if result.likeliest:
        record["likeliest"] = _json_from_labels(result.likeliest)
    return record


def _json_from_labels(labels: Sequence[Label]) -> list[dict[str, object]]:
    return [{"label": label.name, "id": label.id, "score": label.score} for label in labels]
