"""Rank documents by their relevance to a query on a Triton server.

The command line of reranking. From Python use `ernie_triton.client.RerankClient`.

    ernie-triton ask rerank --query 花呗怎么还款 --document 花呗还款方式 --document 今天天气
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from ernie_triton.client.cli.job import Job, TaskCommand, TextOption, Usage
from ernie_triton.client.cli.options import positive_int
from ernie_triton.client.cli.run import command_functions
from ernie_triton.client.cli.sink import TablePrinter, cut_cell
from ernie_triton.client.core import Caller, Send
from ernie_triton.client.evaluation.ranks import DEFAULT_DEPTH, RankScorer
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.client.items import TextField
from ernie_triton.client.tasks.rerank import RankedDocument, Ranking, ranking_outcomes
from ernie_triton.errors import UsageError
from ernie_triton.tasks import RERANK, Task
from ernie_triton.text_table import clipped

RANKED_EXAMPLES = 'JSON lines {"query", "positives", "negatives"}, the last two lists of texts'
"""The content of a file for `--evaluate` of queries with documents."""

_WIDTH = 48


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--top-n",
        type=positive_int,
        metavar="N",
        help="only so many of the best documents of each query (default: all)",
    )
    parser.add_argument(
        "--return-documents",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="put the documents' texts into the results",
    )
    add_depth_option(parser)


def add_depth_option(parser: argparse.ArgumentParser) -> None:
    """Add the option of the figures of rankings."""
    parser.add_argument(
        "--at",
        type=positive_int,
        default=DEFAULT_DEPTH,
        metavar="K",
        help="places that MRR and NDCG of --evaluate look at (default: %(default)s)",
    )


def _check_options(found: argparse.Namespace) -> None:
    if found.evaluate and found.top_n:
        raise UsageError("--evaluate counts every document; leave --top-n out, or use --at")


async def _new_job(found: argparse.Namespace, caller: Caller) -> Job[Ranking]:
    texts = await caller.input_names(RERANK)
    send = partial(
        ranking_outcomes, caller, top_n=found.top_n, return_documents=found.return_documents
    )
    return ranking_job(RERANK, texts, send, found.at)


def ranking_job(
    task: Task, texts: tuple[str, ...], send: Send[Ranking], depth: int
) -> Job[Ranking]:
    """The job of ranking documents, whose figures look at the first `depth` places.

    Args:
        task: whose examples are evaluated.
        texts: names of a row's texts; the first is the query.
        send: answers a batch of queries with their documents.
        depth: of MRR and NDCG.
    """
    method = EVALUATION_METHODS[task.name]
    return Job(
        texts=texts,
        send=send,
        json_from_result=_json_from_result,
        printer=TablePrinter(
            ("rank", "score", "cut", "index", "document"), texts[:1], _cells_from_result
        ),
        method=replace(method, scorer=lambda _: RankScorer(depth)),
        model_rows=method.rows_per_example,
    )


def _cells_from_result(result: Ranking) -> list[tuple[str, ...]]:
    return [
        (
            f"{rank}",
            f"{one.score:.4f}",
            cut_cell(one.truncated),
            f"{one.index}",
            clipped(one.document or "", _WIDTH),
        )
        for rank, one in enumerate(result, 1)
    ]


def _json_from_result(result: Ranking) -> Mapping[str, object]:
    return {"results": [_json_from_document(one) for one in result]}


def _json_from_document(one: RankedDocument) -> Mapping[str, object]:
    record = {"index": one.index, "score": one.score, "truncated": one.truncated}
    return record if one.document is None else {**record, "document": one.document}


add_options, run = command_functions(
    TaskCommand(
        usage=Usage(
            description="Rank documents by their relevance to a query on a Triton server.",
            default_model=RERANK.default_model,
            texts=(
                TextOption(field=TextField(input="query", keys=("query",)), help="the query"),
                TextOption(
                    field=TextField(input="documents", keys=("documents",), is_list=True),
                    help="a document of the query",
                ),
            ),
            examples=RANKED_EXAMPLES,
        ),
        add_options=_add_options,
        check_options=_check_options,
        new_job=_new_job,
    )
)
