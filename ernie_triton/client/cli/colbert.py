"""Turn texts into the vectors of their tokens, or score queries with documents by them.

The command line of token vectors. From Python use `ernie_triton.client.ColbertClient`.

    ernie-triton ask colbert --file texts.txt --output vectors.jsonl
    ernie-triton ask colbert --text 花呗怎么还款 --text-pair 花呗可以还清吗
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from ernie_triton.client.cli.job import SECOND_TEXT, Job, TaskCommand, TextOption, Usage
from ernie_triton.client.cli.options import (
    add_precision_options,
    add_prompt_option,
    has_vector_options,
)
from ernie_triton.client.cli.regression import score_job
from ernie_triton.client.cli.rerank import RANKED_EXAMPLES, add_depth_option, ranking_job
from ernie_triton.client.cli.run import command_functions
from ernie_triton.client.cli.sink import JsonPrinter
from ernie_triton.client.core import Caller
from ernie_triton.client.items import TEXT, TEXT_PAIR
from ernie_triton.client.tasks.colbert import (
    TokenVectors,
    interaction_outcomes,
    interaction_rankings,
    token_vector_outcomes,
)
from ernie_triton.client.tasks.regression import Score
from ernie_triton.client.tasks.rerank import Ranking
from ernie_triton.client.tasks.retrieval import prompt_named
from ernie_triton.client.tasks.vectors import VectorForm
from ernie_triton.errors import UsageError
from ernie_triton.tasks import COLBERT


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_prompt_option(parser)
    add_precision_options(parser)
    add_depth_option(parser)


def _check_options(found: argparse.Namespace) -> None:
    if has_vector_options(found) and (found.text_pair or found.evaluate):
        raise UsageError("--prompt-name, --precision and --ranges are for vectors")


async def _new_job(
    found: argparse.Namespace, caller: Caller
) -> Job[TokenVectors] | Job[Score] | Job[Ranking]:
    texts = await caller.input_names(COLBERT)
    pair = (TEXT.input, TEXT_PAIR.input)
    if found.evaluate:
        return ranking_job(COLBERT, pair, partial(interaction_rankings, caller), found.at)
    if found.text_pair:
        return score_job(pair, partial(interaction_outcomes, caller), model_rows=2)
    prompt = await prompt_named(caller, found.prompt_name)
    form = VectorForm(precision=found.precision, ranges=found.ranges)
    return Job(
        texts=texts,
        send=partial(token_vector_outcomes, caller, prompt=prompt, form=form),
        json_from_result=_json_from_vectors,
        printer=JsonPrinter(_json_from_vectors),
    )


def _json_from_vectors(result: TokenVectors) -> Mapping[str, object]:
    return {"vectors": result.vectors.tolist(), "truncated": result.truncated}


add_options, run = command_functions(
    TaskCommand(
        usage=Usage(
            description="Turn texts into the vectors of their tokens on a Triton server, or score "
            "queries with documents by them.",
            default_model=COLBERT.default_model,
            texts=(
                TextOption(field=TEXT, help="a text, or the query of a pair"),
                replace(SECOND_TEXT, help="the document of a query, as often as --text"),
            ),
            examples=RANKED_EXAMPLES,
        ),
        add_options=_add_options,
        check_options=_check_options,
        new_job=_new_job,
    )
)
