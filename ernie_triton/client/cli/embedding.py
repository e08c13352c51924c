"""Turn texts into vectors, or pairs of texts into cosines, on a Triton server.

The command line of embedding, over `command`; from Python use `ernie_triton.client.embedding`.

    ernie-triton ask embedding --file texts.txt --output vectors.npy
    ernie-triton ask embedding --text 股市大涨 --text-pair 股价上升
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ernie_triton.client.cli.job import Job, TaskCommand
from ernie_triton.client.cli.npy_sink import opened_npy_sink
from ernie_triton.client.cli.options import Usage
from ernie_triton.client.cli.run import add_task_options, run_task
from ernie_triton.client.cli.sink import JsonPrinter, TablePrinter
from ernie_triton.client.core import Caller
from ernie_triton.client.embedding import (
    Embedding,
    EmbeddingCodec,
    Similarity,
    hidden_size,
    similarity_outcomes,
)
from ernie_triton.client.evaluation.numbers import SimilarityScorer
from ernie_triton.client.items import TextField
from ernie_triton.errors import UsageError
from ernie_triton.tasks import EMBEDDING

_FIELDS = (
    TextField(input="text", keys=("text", "sentence", "sentence1"), help="a text"),
    TextField(
        input="text_pair",
        keys=("text_pair", "sentence2"),
        help="a text to compare with it: prints cosines; as often as --text",
        is_optional=True,
        advice="add --pairs to compare the two",
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
        description="Turn texts into vectors, or pairs of texts into cosines, on a Triton server.",
        default_model=EMBEDDING.default_model,
        fields=_FIELDS,
        examples='JSON lines {"sentence1", "sentence2", "label"} (AFQMC)',
        output="of a name in .npy one float32 array [lines, hidden], a failed line as NaN; "
        "of any other JSON lines",
    )
    return TaskCommand(
        usage=usage, add_options=_add_options, check_options=_check_options, new_job=_new_job
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pairs",
        action="store_true",
        help="the lines of --file are pairs of texts: print cosines, not vectors",
    )


def _check_options(found: argparse.Namespace) -> None:
    if found.pairs and not found.file:
        raise UsageError("--pairs is for --file")
    if _has_pairs(found) and _is_npy(found.output):
        raise UsageError("a .npy file is for vectors; name another --output for cosines")


async def _new_job(found: argparse.Namespace, caller: Caller) -> Job[Embedding] | Job[Similarity]:
    texts = await caller.input_names(EMBEDDING)
    if _has_pairs(found):
        pair = tuple(field.input for field in _FIELDS)
        return Job(
            texts=pair,
            send=partial(similarity_outcomes, caller),
            json_from_result=_json_from_similarity,
            printer=TablePrinter(("cosine", "cut"), pair, _cells_from_similarity),
            scorer=SimilarityScorer(),
            model_rows=len(pair),
        )
    hidden = await hidden_size(caller)
    return Job(
        texts=texts,
        send=partial(caller.outcomes, codec=EmbeddingCodec()),
        json_from_result=_json_from_embedding,
        printer=JsonPrinter(_json_from_embedding),
        open_file=partial(opened_npy_sink, hidden=hidden) if _is_npy(found.output) else None,
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
    return [(f"{result.cosine:.4f}", "yes" if result.truncated else "")]
