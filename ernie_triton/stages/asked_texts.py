"""Texts with their schemas, as requests of information extraction ask them, within limits."""

from collections.abc import Sequence
from dataclasses import dataclass

from ernie_triton.arrays import Tensors
from ernie_triton.decoders.schema import SchemaLimits, SchemaNode, parse_schema
from ernie_triton.errors import SchemaError, TextError
from ernie_triton.settings import TokenizerSettings
from ernie_triton.stages.texts import decoded_text
from ernie_triton.tasks import EXTRACTION


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionSettings(TokenizerSettings):
    """The parameters of both stages of Python.

    Attributes:
        engine_rows: most rows of one part to the engine.
        max_prompts: most rows of one request: prompts times texts times windows.
        max_schema_names: most names of a schema.
        max_schema_depth: most names under each other.
        position_prob: the probability that a position of a span exceeds.
        split_sentence: windows do not cross the end of a sentence.
    """

    engine_rows: int
    max_prompts: int
    max_schema_names: int
    max_schema_depth: int
    position_prob: float = 0.5
    split_sentence: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedText:
    """One text of a request with its schema, which `spelled` is the JSON of."""

    text: str
    spelled: str
    schema: tuple[SchemaNode, ...]


class SchemaReader:
    """Reads what requests ask, within limits."""

    def __init__(self, settings: ExtractionSettings) -> None:
        """Keep the limits."""
        self._max_text_bytes = settings.max_text_bytes
        self._limits = SchemaLimits(
            names=settings.max_schema_names,
            depth=settings.max_schema_depth,
            characters=settings.max_length // 2,
        )

    def read(self, tensors: Tensors) -> list[AskedText]:
        """The texts and schemas of a request.

        Raises:
            TextError: a text or schema is not UTF-8 or too long, or a text is empty.
            SchemaError: a schema is of no use.
        """
        names = EXTRACTION.pair_texts
        columns = (tensors[name].reshape(-1) for name in names)
        rows = []
        for number, values in enumerate(zip(*columns, strict=True)):
            text, schema = (
                decoded_text(value, name, number, self._max_text_bytes)
                for value, name in zip(values, names, strict=True)
            )
            rows.append((text, schema))
        return self.parsed(rows)

    def parsed(self, rows: Sequence[Sequence[str]]) -> list[AskedText]:
        """The same of decoded rows; errors as for `read`."""
        known: dict[str, tuple[SchemaNode, ...]] = {}
        for number, (text, schema) in enumerate(rows):
            if not text.strip():
                raise TextError(
                    f"row {number} of the input 'text' is empty; expected a text to look in"
                )
            if schema not in known:
                try:
                    known[schema] = parse_schema(schema, self._limits)
                except SchemaError as error:
                    raise SchemaError(f"row {number} of the input 'schema': {error}") from error
        return [
            AskedText(text=text, spelled=spelled, schema=known[spelled]) for text, spelled in rows
        ]
