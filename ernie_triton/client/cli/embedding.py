"""Turn texts into vectors, or pairs of texts into cosines, on a Triton server.

The command line of embedding. From Python use `ernie_triton.client.EmbeddingClient`.

    ernie-triton ask embedding --file texts.txt --output vectors.npy
    ernie-triton ask embedding --text 股市大涨 --text-pair 股价上升
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ernie_triton.client.cli.job import Job, TaskCommand, TextOption, Usage
from ernie_triton.client.cli.options import (
    add_precision_options,
    add_prompt_option,
    has_vector_options,
    positive_int,
)
from ernie_triton.client.cli.run import command_functions
from ernie_triton.client.cli.sink import JsonPrinter, TablePrinter, cut_cell, opened_npy_sink
from ernie_triton.client.core import Caller
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.client.items import TEXT, TEXT_PAIR
from ernie_triton.client.tasks.embedding import (
    Embedding,
    Similarity,
    embedding_outcomes,
    hidden_size,
    similarity_outcomes,
)
from ernie_triton.client.tasks.retrieval import prompt_named
from ernie_triton.client.tasks.vectors import VectorForm
from ernie_triton.errors import UsageError
from ernie_triton.tasks import EMBEDDING


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pairs",
        action="store_true",
        help="the lines of --file are pairs of texts: print cosines, not vectors",
    )
    add_prompt_option(parser)
    parser.add_argument(
        "--dimensions",
        type=positive_int,
        metavar="N",
        help="keep so many features of each vector, scaled to length 1 again",
    )
    add_precision_options(parser)


def _check_options(found: argparse.Namespace) -> None:
    if found.pairs and not found.file:
        raise UsageError("--pairs is for --file")
    if _has_pairs(found) and _is_npy(found.output):
        raise UsageError("a .npy file is for vectors; name another --output for cosines")
    is_asked = has_vector_options(found) or found.dimensions is not None
    if _has_pairs(found) and is_asked:
        raise UsageError("--prompt-name, --dimensions, --precision and --ranges are for vectors")


async def _new_job(found: argparse.Namespace, caller: Caller) -> Job[Embedding] | Job[Similarity]:
    texts = await caller.input_names(EMBEDDING)
    if _has_pairs(found):
        method = EVALUATION_METHODS[EMBEDDING.name]
        pair = await method.texts(caller)
        return Job(
            texts=pair,
            send=partial(similarity_outcomes, caller),
            json_from_result=_json_from_similarity,
            printer=TablePrinter(("cosine", "cut"), pair, _cells_from_similarity),
            method=method,
            model_rows=method.rows_per_example,
        )
    form = VectorForm(dimensions=found.dimensions, precision=found.precision, ranges=found.ranges)
    try:
        model = form.of(np.zeros((1, await hidden_size(caller)), np.float32))
    except ValueError as error:
        raise UsageError(str(error)) from error
    prompt = await prompt_named(caller, found.prompt_name)
    open_file = partial(opened_npy_sink, width=model.shape[1], dtype=model.dtype.str)
    return Job(
        texts=texts,
        send=partial(embedding_outcomes, caller, prompt=prompt, form=form),
        json_from_result=_json_from_embedding,
        printer=JsonPrinter(_json_from_embedding),
        open_file=open_file if _is_npy(found.output) else None,
    )


def _has_pairs(found: argparse.Namespace) -> bool:
    return bool(found.pairs or found.text_pair or found.evaluate)


def _is_npy(output: Path | None) -> bool:
    return output is not None and output.suffix == ".npy"


def _json_from_embedding(result: Embedding) -> Mapping[str, object]:
    return {"embedding": result.vector.tolist(), "truncated": result.truncated}


def _json_from_similarity(result: Similarity) -> Mapping[str, object]:
    return {"cosine": result.cosine, "truncated": result.truncated}


def _cells_from_similarity(result: Similarity) -> list[tuple[str, str]]:
    return [(f"{result.cosine:.4f}", cut_cell(result.truncated))]


add_options, run = command_functions(
    TaskCommand(
        usage=Usage(
            description="Turn texts into vectors, or pairs of texts into cosines, on a Triton "
            "server.",
            default_model=EMBEDDING.default_model,
            texts=(
                TextOption(field=TEXT, help="a text"),
                TextOption(
                    field=replace(TEXT_PAIR, advice="add --pairs to compare the two"),
                    help="a text to compare with it: prints cosines; as often as --text",
                    is_optional=True,
                ),
            ),
            examples='JSON lines {"sentence1", "sentence2", "label"} (AFQMC)',
            output="a float32 array [lines, hidden] if the name ends in .npy, with NaN for a "
            "failed line; else JSON lines",
        ),
        add_options=_add_options,
        check_options=_check_options,
        new_job=_new_job,
    )
)
