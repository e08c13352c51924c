"""Second stage: rows of token ids to the model's outputs, by one of our runtimes."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ernie_triton.arrays import Int32, Outputs, Tensors
from ernie_triton.batch import TokenBatch, join_rows, split_rows, split_tokens
from ernie_triton.engines import Engine, load_engine
from ernie_triton.errors import EngineError
from ernie_triton.pipeline import SHORTEST_TEXT_TOKENS
from ernie_triton.settings import EngineSettings
from ernie_triton.stages.deferred import DeferredRows, then
from ernie_triton.stages.stage import Stage, StageOutput
from ernie_triton.tasks import INPUT_IDS, TOKEN_TYPE_IDS, task_named, token_tensors

_Rows: TypeAlias = tuple[Int32, Int32 | None]
_Shape: TypeAlias = tuple[int, int]


class EngineStage(Stage[_Rows]):
    """Runs the requests of a batch as one engine run, and those much longer than usual later."""

    def __init__(self, engine: Engine, *, defers: bool = True) -> None:
        """Use an engine.

        Args:
            engine: with the stage's settings.
            defers: whether long requests run after their batch; otherwise every output is there
                at once.
        """
        self._engine = engine
        self._settings = engine.settings
        self.inputs = tuple(spec.name for spec in token_tensors(pair=self._settings.pair))
        self._is_per_token = task_named(self._settings.task).is_per_token
        self._deferred = DeferredRows(engine.run, is_per_token=self._is_per_token)
        self._defers = defers
        self._last_tokens: list[int] = []

    @classmethod
    def open(cls, parameters: Mapping[str, str], folder: Path) -> "EngineStage":
        """Compile the engine in a version's folder.

        Raises:
            PipelineError: a parameter is missing or wrong.
            EngineError: the engine is missing, or its runtime refuses it.
            MissingExtraError: the runtime's package is not installed.
        """
        return cls(load_engine(folder, EngineSettings.from_parameters(parameters)))

    def read(self, tensors: Tensors) -> _Rows:
        """Take one request's tokens.

        Raises:
            EngineError: token types have another shape than the tokens.
        """
        ids, types = tensors[INPUT_IDS.name], tensors.get(TOKEN_TYPE_IDS.name)
        if types is not None and types.shape != ids.shape:
            raise EngineError(
                f"token_type_ids has the shape {list(types.shape)} but input_ids {list(ids.shape)}"
            )
        return ids, types

    def run(self, items: Sequence[_Rows]) -> list[StageOutput]:
        """Pack the rows, run them, and give each request its own; long requests run later.

        Raises:
            EngineError: a length, a token id or a token type id is out of range.
        """
        batch = self._joined(items)
        shapes = [(len(ids), ids.shape[1]) for ids, _ in items]
        later = self._later(batch, [rows for rows, _ in shapes])
        if not later:
            return [*self._outputs(batch, shapes)]
        now = [place for place in range(len(items)) if place not in later]
        answers: dict[int, StageOutput] = {}
        if now:
            together = self._joined([items[place] for place in now])
            outputs = self._outputs(together, [shapes[place] for place in now])
            answers.update(zip(now, outputs, strict=True))
        for place in later:
            answers[place] = self._outputs_later(self._joined([items[place]]), shapes[place])
        return [answers[place] for place in range(len(items))]

    def run_rows(
        self, batch: TokenBatch, rows: Sequence[int]
    ) -> tuple[Outputs, dict[int, Future[Outputs]]]:
        """Run a batch for outputs of each row, without cutting it into requests.

        Args:
            batch: which owns its tokens.
            rows: of each request, in order.

        Returns:
            The outputs [rows, …] of all requests that run now, none where all run later; and by
            place of the request, those that run later.

        Raises:
            EngineError: a length, a token id or a token type id is out of range.
        """
        later = self._later(batch, rows)
        if not later:
            return self._run(batch), {}
        parts = np.split(np.arange(batch.rows), np.cumsum(rows)[:-1])
        now = [part for place, part in enumerate(parts) if place not in later]
        outputs = self._run(batch.select(np.concatenate(now))) if now else {}
        return outputs, {
            place: self._deferred.submit(batch.select(parts[place])) for place in later
        }

    def _later(self, batch: TokenBatch, rows: Sequence[int]) -> list[int]:
        """Check a batch, count its tokens, and choose the requests that run later."""
        self._check(batch)
        tokens = batch.lengths.astype(np.int64)
        if len(rows) != batch.rows:
            totals = np.cumsum(np.append(0, tokens))
            tokens = np.diff(totals[np.cumsum([0, *rows])])
        self._last_tokens = tokens.tolist()
        return self._deferred.choose(self._last_tokens) if self._defers else []

    def _run(self, batch: TokenBatch) -> Outputs:
        with self._deferred.engine:
            return self._engine.run(batch)

    def _joined(self, items: Sequence[_Rows]) -> TokenBatch:
        """The requests as one batch, which owns its tokens."""
        return join_rows(items, self._settings.pad_token_id)

    def _outputs(self, batch: TokenBatch, shapes: Sequence[_Shape]) -> list[Tensors]:
        return self._split(self._run(batch), batch, shapes)

    def _outputs_later(self, batch: TokenBatch, shape: _Shape) -> Future[Tensors]:
        return then(
            self._deferred.submit(batch), lambda outputs: self._split(outputs, batch, [shape])[0]
        )

    def _split(
        self, outputs: Outputs, batch: TokenBatch, shapes: Sequence[_Shape]
    ) -> list[Tensors]:
        """Each request's outputs; the shapes are those of the requests' tokens."""
        if self._is_per_token:
            return [*split_tokens(outputs, batch.lengths, shapes)]
        return [*split_rows(outputs, [rows for rows, _ in shapes])]

    def token_counts(self) -> list[int]:
        """Count the tokens of each request that ran last, without padding."""
        return self._last_tokens

    def close(self) -> None:
        """Answer what was deferred."""
        self._deferred.close()

    def _check(self, batch: TokenBatch) -> None:
        """Refuse values that would make the graph read outside its tables."""
        settings = self._settings
        _check_range(
            "the tokens of a row", batch.lengths, SHORTEST_TEXT_TOKENS, settings.max_length
        )
        _check_range("input_ids", batch.input_ids, 0, settings.vocabulary_size - 1)
        if settings.pair:
            _check_range("token_type_ids", batch.token_type_ids, 0, settings.token_types - 1)


def _check_range(name: str, values: Int32, least: int, most: int) -> None:
    found_least, found_most = int(values.min()), int(values.max())
    if found_least < least or found_most > most:
        raise EngineError(
            f"{name}: found {found_least} to {found_most}; expected {least} to {most}"
        )
