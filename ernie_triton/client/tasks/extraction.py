"""Information extraction from Python: texts and a schema in, what the schema names out.

A task client over `client` and `core`; the command line is `cli.extraction`.

    with ExtractionClient("localhost:8001") as client:
        [found] = client.extract(["王芳在北京大学工作。"], [{"人物": ["工作单位"]}])
        for person in found["人物"]:
            print(person.text, [unit.text for unit in person.relations.get("工作单位", ())])
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ernie_triton.client.client import (
    AsyncioClient,
    BlockingClient,
    rows_from_columns,
    run_blocking,
)
from ernie_triton.client.core import Caller
from ernie_triton.client.wire import Reply, RequestedOutput
from ernie_triton.errors import ContractError
from ernie_triton.tasks import EXTRACTION, Task

SchemaNames: TypeAlias = "str | Sequence[SchemaNames] | Mapping[str, SchemaNames]"
"""A schema as PaddleNLP's Taskflow takes it: a name, an object of names, or a list of both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractedSpan:
    """A span of the text that a name of the schema asked for.

    Attributes:
        text: its characters, or the chosen one of a name's options in brackets.
        start: its characters are `[start:end]` of the text as sent, end excluded; -1 for an option.
        end: see `start`.
        probability: of its start times that of its end.
        relations: what was asked of it in turn, by name; empty where nothing was found.
    """

    text: str
    start: int
    end: int
    probability: float
    relations: Mapping[str, tuple[ExtractedSpan, ...]] = field(default_factory=dict)

    @property
    def is_option(self) -> bool:
        """True for one of the options of a name such as `情感倾向[正向,负向]`."""
        return self.start < 0


Extraction: TypeAlias = Mapping[str, tuple[ExtractedSpan, ...]]
"""The spans of a text by the names of the schema; a name without spans is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionCodec:
    """The output of information extraction, and its reading."""

    @property
    def task(self) -> Task:
        """Information extraction."""
        return EXTRACTION

    def requested_outputs(self) -> tuple[RequestedOutput, ...]:
        """The outputs to ask for."""
        return (RequestedOutput(name=EXTRACTION.results[0].name),)

    def results_from_reply(self, reply: Reply) -> list[Extraction]:
        """The spans for each row of the request."""
        cells = reply[EXTRACTION.results[0].name].ravel().tolist()
        return [_extraction_from_json(cell) for cell in cells]


class ExtractionClient(BlockingClient):
    """Finds in texts what schemas name, on a Triton server."""

    task = EXTRACTION

    def extract(self, texts: Sequence[str], schema: SchemaNames) -> list[Extraction]:
        """Find what the schema names, in each text.

        Raises:
            TextError: a text cannot be sent as UTF-8.
            ClientError: there is no answer; the subclasses say why.
        """
        return run_blocking(_extract(self._caller, texts, schema))


class AsyncExtractionClient(AsyncioClient):
    """`ExtractionClient` for asyncio; calls may run at once."""

    task = EXTRACTION

    async def extract(self, texts: Sequence[str], schema: SchemaNames) -> list[Extraction]:
        """Find what the schema names, in each text; errors as in `ExtractionClient`."""
        return await _extract(self.caller, texts, schema)


async def _extract(caller: Caller, texts: Sequence[str], schema: SchemaNames) -> list[Extraction]:
    spelled = json.dumps(schema, ensure_ascii=False)
    rows = rows_from_columns({"texts": texts, "schema": [spelled] * len(texts)})
    return await caller.results(rows, ExtractionCodec())


def _extraction_from_json(cell: bytes) -> Extraction:
    try:
        return _spans_by_name(json.loads(cell))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ContractError(
            f"the model returned result {cell[:80]!r}, expected a JSON object as in the wire "
            f"contract ({type(error).__name__}: {error}); name a model that this version built"
        ) from error


def _spans_by_name(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Extraction:
    return {name: tuple(_span(record) for record in records) for name, records in found.items()}


def _span(record: Mapping[str, Any]) -> ExtractedSpan:
    return ExtractedSpan(
        text=str(record["text"]),
        start=int(record.get("start", -1)),
        end=int(record.get("end", -1)),
        probability=float(record["probability"]),
        relations=_spans_by_name(record.get("relations", {})),
    )
