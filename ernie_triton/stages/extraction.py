"""Information extraction: texts and schemas to JSON, asking the engine once for each depth.

The prompts of a depth depend on the spans of the depth before. The tokenizer stage makes the first
rows of the first depth, which pass through the pipeline as those of other tasks. The postprocess
stage asks the engine for whatever is still missing, in parts of a batch: all prompts, texts and
windows of a depth go together, and the engine's own batching puts the parts of all requests
together. A request has a thread of its own there and one part in flight at a time, so a large one
does not hold up the others. Where one part at the first depth is all, nothing is asked again.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TypeAlias

import numpy as np

from ernie_triton.arrays import Float32, Tensors
from ernie_triton.decoders.pointers import FoundSpan, PromptedRow, merged, spans_of_rows
from ernie_triton.decoders.schema_walk import SchemaWalk
from ernie_triton.errors import SchemaError
from ernie_triton.settings import part_parameters
from ernie_triton.stages.asked_texts import AskedText, ExtractionSettings, SchemaReader
from ernie_triton.stages.engine import EngineStage
from ernie_triton.stages.engine_queue import EngineQueue
from ernie_triton.stages.part_counts import PartCounts
from ernie_triton.stages.postprocess import not_finite
from ernie_triton.stages.stage import Stage, StageOutput
from ernie_triton.stages.tokenization import Tokenization
from ernie_triton.stages.tokenizer import text_encoder
from ernie_triton.tasks import ASKED, EXTRACTION, INPUT_IDS
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.prompt_rows import PromptEncoder, TextWindow, WindowedText
from ernie_triton.tokenizer.token_rows import LengthBuckets, TextTokens

_OUTPUTS = tuple(tensor.name for tensor in EXTRACTION.engine_outputs)
_THREADS = 64
"""Requests that ask the engine at the same time; further ones wait."""

AskEngine: TypeAlias = Callable[[Tensors], Tensors]
"""Gives the engine's outputs for rows of tokens; called from many threads at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row for the engine: a prompt, by its number in the depth, and a window of a text.

    `place` is the text's in the request; `length` counts the row's tokens, special ones too.
    """

    number: int
    place: int
    prompt: str
    prompt_tokens: TextTokens
    text: str
    windowed: WindowedText
    window: TextWindow
    length: int

    def prompted(self, before_text: int) -> PromptedRow:
        window = self.window
        return PromptedRow(
            prompt=self.prompt,
            prompt_spans=self.prompt_tokens.spans,
            before_text=before_text,
            text=self.text,
            text_spans=self.windowed.tokens.spans[window.first : window.last],
            own=(window.own[0] - window.first, window.own[1] - window.first),
        )


class Extractor:
    """Finds what schemas name, with an engine at hand."""

    def __init__(self, settings: ExtractionSettings, encoder: TextEncoder) -> None:
        """Use a tokenizer that was made for the settings."""
        self._settings = settings
        self._prompts = PromptEncoder(
            encoder,
            max_length=settings.max_length,
            overlap=settings.overlap,
            split_sentences=settings.split_sentence,
        )
        self._buckets = LengthBuckets(
            bucket=settings.length_bucket,
            max_length=settings.max_length,
            pad_token_id=encoder.pad_token_id,
        )

    def first_part(self, item: Sequence[AskedText]) -> Tensors:
        """The engine's inputs for the first rows of the first depth.

        Raises:
            SchemaError: the request has too many rows.
        """
        walks = [SchemaWalk(asked.schema) for asked in item]
        rows = self._rows(item, self._texts(item), walks, self._settings.max_prompts)
        return self._tensors([rows[place] for place in self._parts(rows)[0]])

    def answer(
        self, item: Sequence[AskedText], ask: AskEngine, first: Tensors | None = None
    ) -> Tensors:
        """Go through the schemas of a request's texts, depth by depth.

        Args:
            item: the request.
            ask: the engine.
            first: its outputs for `first_part`, where they are there.

        Raises:
            SchemaError: the request has too many rows.
            NotFiniteError: the engine's outputs are no numbers.
        """
        texts = self._texts(item)
        walks = [SchemaWalk(asked.schema) for asked in item]
        rows_left = self._settings.max_prompts
        while any(walk.prompts for walk in walks):
            rows = self._rows(item, texts, walks, rows_left)
            rows_left -= len(rows)
            found = iter(self._found(rows, ask, first))
            first = None
            for walk in walks:
                walk.take([next(found) for _ in walk.prompts])
        results = [json.dumps(walk.result, ensure_ascii=False).encode("utf-8") for walk in walks]
        return {EXTRACTION.results[0].name: np.array(results, np.object_)[:, None]}

    def _texts(self, item: Sequence[AskedText]) -> list[WindowedText]:
        return self._prompts.texts([asked.text for asked in item])

    def _rows(
        self,
        item: Sequence[AskedText],
        texts: Sequence[WindowedText],
        walks: Sequence[SchemaWalk],
        most: int,
    ) -> list[_Row]:
        """The rows of one depth; the prompts are counted through all texts."""
        asked = [(place, prompt) for place, walk in enumerate(walks) for prompt in walk.prompts]
        spelled = list(dict.fromkeys(prompt for _, prompt in asked))
        tokens = dict(zip(spelled, self._prompts.prompts(spelled), strict=True))
        rows: list[_Row] = []
        for number, (place, prompt) in enumerate(asked):
            for window in self._prompts.windows(tokens[prompt], texts[place]):
                if len(rows) == most:
                    raise SchemaError(
                        f"the request needs more than {self._settings.max_prompts} rows, one for "
                        f"each prompt, text and window; send fewer texts, a smaller schema, or "
                        f"build with a larger --max-prompts"
                    )
                row = _Row(
                    number=number,
                    place=place,
                    prompt=prompt,
                    prompt_tokens=tokens[prompt],
                    text=item[place].text,
                    windowed=texts[place],
                    window=window,
                    length=self._prompts.length(tokens[prompt], window),
                )
                rows.append(row)
        return rows

    def _parts(self, rows: Sequence[_Row]) -> list[list[int]]:
        """The places of the rows of each part, those of similar lengths together."""
        order = np.argsort([row.length for row in rows], kind="stable").tolist()
        step = self._settings.engine_rows
        return [order[start : start + step] for start in range(0, len(order), step)]

    def _tensors(self, rows: Sequence[_Row]) -> Tensors:
        together = [(row.prompt_tokens, row.windowed, row.window) for row in rows]
        return self._buckets.padded(self._prompts.tensors(together))

    def _found(
        self, rows: Sequence[_Row], ask: AskEngine, first: Tensors | None
    ) -> list[list[FoundSpan]]:
        """The spans of each prompt."""
        windows: dict[int, list[list[FoundSpan]]] = {row.number: [] for row in rows}
        for part in self._parts(rows):
            own = [rows[place] for place in part]
            outputs = ask(self._tensors(own)) if first is None else first
            first = None
            for row, found in zip(own, self._spans(own, outputs), strict=True):
                windows[row.number].append(found)
        prompts = {row.number: row.prompt for row in rows}
        return [merged(prompts[number], found) for number, found in windows.items()]

    def _spans(self, rows: Sequence[_Row], outputs: Tensors) -> list[list[FoundSpan]]:
        """The spans of each row; padding may hold anything."""
        lengths = np.array([row.length for row in rows])
        real = np.arange(lengths.max()) < lengths[:, None]
        scores: list[Float32] = []
        for name in _OUTPUTS:
            values = outputs[name][:, : real.shape[1]]
            bad = np.flatnonzero((~np.isfinite(values) & real).any(axis=1))
            if len(bad):
                raise not_finite(name, rows[bad[0]].place)
            scores.append(np.where(real, values, np.float32(-np.inf)))
        return spans_of_rows(
            [row.prompted(self._prompts.before_text) for row in rows],
            scores[0],
            scores[1],
            self._settings.position_prob,
        )


class PromptStage(Stage[list[AskedText]]):
    """The first stage: a request to the first rows of its first depth."""

    inputs = EXTRACTION.pair_texts

    def __init__(self, settings: ExtractionSettings, encoder: TextEncoder) -> None:
        """Use a tokenizer that was made for the settings."""
        self.tokenization = Tokenization(settings, encoder)
        self._reader = SchemaReader(settings)
        self._extractor = Extractor(settings, encoder)
        self._pad_token_id = encoder.pad_token_id
        self._last: Sequence[Tensors] = ()

    @classmethod
    def open(cls, parameters: Mapping[str, str], folder: Path) -> "PromptStage":
        """Load the vocabulary in a version's folder.

        Raises:
            PipelineError: a parameter is missing or wrong.
            VocabularyError: the vocabulary is missing or damaged.
        """
        settings = ExtractionSettings.from_parameters(parameters)
        return cls(settings, text_encoder(settings, folder))

    def read(self, tensors: Tensors) -> list[AskedText]:
        """Read the request's texts and schemas; errors as for `SchemaReader.read`."""
        return self._reader.read(tensors)

    def run(self, items: Sequence[list[AskedText]]) -> Sequence[Tensors]:
        """Tokenise; the rows of a request are padded to its longest, or to the bucket of that.

        Raises:
            SchemaError: a request has too many rows.
        """
        self._last = [self._sent(item) for item in items]
        return self._last

    def token_counts(self) -> list[int]:
        """Count the tokens of each request that ran last, without padding."""
        pad = self._pad_token_id
        return [int(np.count_nonzero(tensors[INPUT_IDS.name] != pad)) for tensors in self._last]

    def _sent(self, item: Sequence[AskedText]) -> Tensors:
        tensors = self._extractor.first_part(item)
        asked = np.full((len(tensors[INPUT_IDS.name]), 1), b"", np.object_)
        rows = [(one.text, one.spelled) for one in item]
        asked[0, 0] = json.dumps(rows, ensure_ascii=False).encode("utf-8")
        return {**tensors, ASKED.name: asked}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A request whose first rows the engine has run."""

    item: list[AskedText]
    first: Tensors


class ExtractionStage(Stage[_Begun]):
    """The last stage: what a request asks, and the outputs for its first rows, to JSON.

    Attributes:
        ask: the engine; set by whoever opens the stage.
    """

    inputs = (*_OUTPUTS, ASKED.name)

    def __init__(self, settings: ExtractionSettings, encoder: TextEncoder) -> None:
        """Use a tokenizer that was made for the settings."""
        self.ask: AskEngine = _no_engine
        self._reader = SchemaReader(settings)
        self._extractor = Extractor(settings, encoder)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="extraction")

    @classmethod
    def open(cls, parameters: Mapping[str, str], folder: Path) -> "ExtractionStage":
        """Load the vocabulary in a version's folder.

        Raises:
            PipelineError: a parameter is missing or wrong.
            VocabularyError: the vocabulary is missing or damaged.
        """
        settings = ExtractionSettings.from_parameters(parameters)
        return cls(settings, text_encoder(settings, folder))

    def read(self, tensors: Tensors) -> _Begun:
        """Take one request's outputs of the engine, and what it asks."""
        rows = json.loads(bytes(tensors[ASKED.name][0, 0]))
        first = {name: tensors[name] for name in _OUTPUTS}
        return _Begun(item=self._reader.parsed(rows), first=first)

    def run(self, items: Sequence[_Begun]) -> list[StageOutput]:
        """Begin to answer a batch of requests; every answer comes later."""
        return [
            self._threads.submit(self._extractor.answer, begun.item, self.ask, begun.first)
            for begun in items
        ]

    def close(self) -> None:
        """Answer what has begun."""
        self._threads.shutdown(wait=True)


class JoinedExtraction(Stage[list[AskedText]]):
    """All stages in one process, with an engine of our own."""

    inputs = EXTRACTION.pair_texts

    def __init__(
        self, settings: ExtractionSettings, encoder: TextEncoder, engine: EngineStage
    ) -> None:
        """Run an engine, with a tokenizer that was made for the settings."""
        self.tokenization = Tokenization(settings, encoder)
        self._reader = SchemaReader(settings)
        self._extractor = Extractor(settings, encoder)
        self._queue = EngineQueue(engine, settings.engine_rows)
        self.part_counts: PartCounts = self._queue.part_counts
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="extraction")

    @classmethod
    def open(cls, parameters: Mapping[str, str], folder: Path) -> "JoinedExtraction":
        """Open the tokenizer and the engine on the files of the one folder.

        Raises:
            ErnieTritonError: one of them cannot be opened.
        """
        settings = ExtractionSettings.from_parameters(part_parameters(parameters, "tokenizer"))
        engine = EngineStage.open(part_parameters(parameters, "engine"), folder)
        return cls(settings, text_encoder(settings, folder), engine)

    def read(self, tensors: Tensors) -> list[AskedText]:
        """Read the request's texts and schemas; errors as for `SchemaReader.read`."""
        return self._reader.read(tensors)

    def run(self, items: Sequence[list[AskedText]]) -> list[StageOutput]:
        """Begin to answer a batch of requests; every answer comes later."""
        return [self._threads.submit(self._answered, item) for item in items]

    def _answered(self, item: list[AskedText]) -> Tensors:
        """The answer to a request; counted as the ensemble's stages share the work."""
        started = perf_counter()
        asking = _TimedAsking(self._queue.ask)
        answer = self._extractor.answer(item, asking)
        ended = perf_counter()
        first = asking.first or ended
        count = partial(self.part_counts.add, requests=1, rows=len(item))
        count("tokenizer", first - started)
        count("postprocess", ended - first - asking.waited_s)
        return answer

    def close(self) -> None:
        """Answer what has begun."""
        self._threads.shutdown(wait=True)
        self._queue.close()


class _TimedAsking:
    """Asks the engine for one request; knows when it asked first, and how long it waited."""

    def __init__(self, ask: AskEngine) -> None:
        self._ask = ask
        self.first = 0.0
        self.waited_s = 0.0

    def __call__(self, tensors: Tensors) -> Tensors:
        started = perf_counter()
        self.first = self.first or started
        outputs = self._ask(tensors)
        self.waited_s += perf_counter() - started
        return outputs


def _no_engine(_tensors: Tensors) -> Tensors:
    raise ValueError("the stage was opened without an engine to ask")
