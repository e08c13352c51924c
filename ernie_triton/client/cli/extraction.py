"""Find what a schema names in texts, on a Triton server.

The command line of information extraction. From Python use `ernie_triton.client.ExtractionClient`.

    ernie-triton ask extraction --schema '{"人物": ["工作单位"]}' --text 王芳在北京大学工作。
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence

from ernie_triton.client.cli.job import Job, TaskCommand, TextOption, Usage
from ernie_triton.client.cli.run import command_functions
from ernie_triton.client.cli.sink import TablePrinter
from ernie_triton.client.core import Caller, Row
from ernie_triton.client.evaluation.tasks import EVALUATION_METHODS
from ernie_triton.client.items import TEXT, TextField
from ernie_triton.client.tasks.extraction import ExtractedSpan, Extraction, ExtractionCodec
from ernie_triton.client.wire import utf8_from_text
from ernie_triton.errors import ClientError, UsageError
from ernie_triton.tasks import EXTRACTION
from ernie_triton.text_table import clipped

_WIDTH = 40
_SCHEMA = TextField(input="schema", keys=("schema",), is_json=True)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--schema",
        metavar="JSON",
        help="a name to find, or PaddleNLP's schema as JSON (default: that of the JSON lines)",
    )


def _check_options(found: argparse.Namespace) -> None:
    if found.text and found.schema is None:
        raise UsageError("--schema is missing; give a name to find, such as --schema 人物")
    if found.evaluate and found.schema is not None:
        raise UsageError("--evaluate takes the schema from its examples; leave --schema out")


async def _new_job(found: argparse.Namespace, caller: Caller) -> Job[Extraction]:
    texts = await caller.input_names(EXTRACTION)
    shown = texts[:1]

    async def send(rows: Sequence[Row]) -> Sequence[Extraction | ClientError]:
        whole = [(text, utf8_from_text(_as_json(found.schema, given))) for text, *given in rows]
        return await caller.outcomes(whole, ExtractionCodec())

    return Job(
        texts=texts if found.schema is None else shown,
        send=send,
        json_from_result=lambda result: {"result": _json_from_spans(result)},
        printer=TablePrinter(
            ("name", "found", "probability", "start", "end"), shown, _cells_from_result
        ),
        method=EVALUATION_METHODS[EXTRACTION.name],
    )


def _as_json(option: str | None, given: Sequence[bytes]) -> str:
    """The schema of a row: that of the option, or its own; a plain name becomes JSON."""
    schema = option if option is not None else given[0].decode("utf-8")
    return schema if schema.lstrip()[:1] in ("[", "{", '"') else json.dumps(schema)


def _cells_from_result(result: Extraction) -> Sequence[Sequence[str]]:
    rows = list(_rows_of(result, ""))
    return rows or [("(none)", "", "", "", "")]


def _rows_of(found: Extraction, indent: str) -> Iterator[tuple[str, ...]]:
    """A row for each span, those of its relations indented below it."""
    for name, spans in found.items():
        for span in spans:
            places = ("", "") if span.is_option else (f"{span.start}", f"{span.end}")
            text = clipped(span.text, _WIDTH)
            yield f"{indent}{name}", text, f"{span.probability:.4f}", *places
            yield from _rows_of(span.relations, f"{indent}- ")


def _json_from_spans(found: Extraction) -> dict[str, object]:
    return {name: [_json_from_span(span) for span in spans] for name, spans in found.items()}


def _json_from_span(span: ExtractedSpan) -> Mapping[str, object]:
    """The span as it came."""
    record: dict[str, object] = {"text": span.text}
    if not span.is_option:
        record |= {"start": span.start, "end": span.end}
    record["probability"] = span.probability
    if span.relations:
        record["relations"] = _json_from_spans(span.relations)
    return record


add_options, run = command_functions(
    TaskCommand(
        usage=Usage(
            description="Find what a schema names in texts, on a Triton server.",
            default_model=EXTRACTION.default_model,
            texts=(TextOption(field=TEXT, help="a text to search"),),
            examples="doccano's JSON lines, or PaddleNLP's lines of prompts",
            more_fields=(_SCHEMA,),
        ),
        add_options=_add_options,
        check_options=_check_options,
        new_job=_new_job,
    )
)
