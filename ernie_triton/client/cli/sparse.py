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
from ernie_triton.client.cli.options import add_prompt_option
from ernie_triton.client.cli.regression import score_job
from ernie_triton.client.cli.rerank import RANKED_EXAMPLES, add_depth_option, ranking_job
from ernie_triton.client.cli.run import command_functions
from ernie_triton.client.cli.sink import JsonPrinter
from ernie_triton.client.core import Caller
from ernie_triton.client.items import TEXT, TEXT_PAIR
from ernie_triton.client.tasks.regression import Score
from ernie_triton.client.tasks.rerank import Ranking
from ernie_triton.client.tasks.retrieval import prompt_named
from ernie_triton.client.tasks.sparse import (
    SparseVector,
    lexical_outcomes,
    lexical_rankings,
    weight_outcomes,
)
from ernie_triton.errors import UsageError
from ernie_triton.tasks import SPARSE


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_prompt_option(parser)
    add_depth_option(parser)


def _check_options(found: argparse.Namespace) -> None:
    if (found.text_pair or found.evaluate) and found.prompt_name is not None:
        raise UsageError("--prompt-name is for weights; scores take the model's own prompts")


async def _new_job(
    found: argparse.Namespace, caller: Caller
) -> Job[SparseVector] | Job[Score] | Job[Ranking]:
    texts = await caller.input_names(SPARSE)
    pair = (TEXT.input, TEXT_PAIR.input)
    if found.evaluate:
        return ranking_job(SPARSE, pair, partial(lexical_rankings, caller), found.at)
    if found.text_pair:
        return score_job(pair, partial(lexical_outcomes, caller), model_rows=2)
    prompt = await prompt_named(caller, found.prompt_name)
    return Job(
        texts=texts,
        send=partial(weight_outcomes, caller, prompt=prompt),
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
            texts=(TextOption(field=TEXT, help="a text, or the query of a pair"), SECOND_TEXT),
            examples=RANKED_EXAMPLES,
        ),
        add_options=_add_options,
        check_options=_check_options,
        new_job=_new_job,
    )
)
