"""Weigh the tokens of texts, or score pairs of texts by them, on a Triton server.

The command line of lexical weights. From Python use `ernie_triton.client.SparseClient`.

    ernie-triton ask sparse --file texts.txt --output weights.jsonl
    ernie-triton ask sparse --text 花呗怎么还款 --text-pair 花呗可以还清吗
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial

from ernie_triton.client.cli.job import SECOND_TEXT, Job, TaskCommand, TextOption, Usage
from ernie_triton.client.cli.regression import cells_from_score, json_from_score
from ernie_triton.client.cli.run import command_functions
from ernie_triton.client.cli.sink import JsonPrinter, TablePrinter
from ernie_triton.client.core import Caller
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.client.items import TEXT
from ernie_triton.client.regression import Score
from ernie_triton.client.sparse import SparseCodec, SparseVector, lexical_outcomes
from ernie_triton.tasks import SPARSE


async def _new_job(found: argparse.Namespace, caller: Caller) -> Job[SparseVector] | Job[Score]:
    texts = await caller.input_names(SPARSE)
    if found.text_pair or found.evaluate:
        method = EVALUATION_METHODS[SPARSE.name]
        pair = await method.texts(caller)
        return Job(
            texts=pair,
            send=partial(lexical_outcomes, caller),
            json_from_result=json_from_score,
            printer=TablePrinter(("score", "cut"), pair, cells_from_score),
            method=method,
            model_rows=method.rows_per_example,
        )
    return Job(
        texts=texts,
        send=partial(caller.outcomes, codec=SparseCodec()),
        json_from_result=_json_from_weights,
        printer=JsonPrinter(_json_from_weights),
    )


def _json_from_weights(result: SparseVector) -> Mapping[str, object]:
    return {
        "indices": result.indices.tolist(),
        "values": result.values.tolist(),
        "truncated": result.truncated,
    }


add_options, run = command_functions(
    TaskCommand(
        usage=Usage(
            description="Weigh the tokens of texts on a Triton server, for lexical retrieval.",
            default_model=SPARSE.default_model,
            texts=(TextOption(field=TEXT, help="a text"), SECOND_TEXT),
            examples='JSON lines {"sentence1", "sentence2", "score"}',
        ),
        new_job=_new_job,
    )
)
