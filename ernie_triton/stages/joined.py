"""All three stages in one process, for engines of our own.

Tensors that the stages of an ensemble pass through the server stay in memory here: a request passes
one queue and one process instead of three.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from ernie_triton.arrays import Outputs, Tensors
from ernie_triton.batch import TokenBatch, split_rows
from ernie_triton.settings import part_parameters
from ernie_triton.stages.deferred import then
from ernie_triton.stages.engine import EngineStage
from ernie_triton.stages.part_counts import PartCounts
from ernie_triton.stages.postprocess import PostprocessStage
from ernie_triton.stages.stage import Stage, StageOutput
from ernie_triton.stages.tokenizer import TokenizerStage
from ernie_triton.tasks import INPUT_IDS, TRUNCATED


class JoinedStages(Stage[tuple[list[str], ...]]):
    """Tokenises, runs and answers the requests of a batch together."""

    def __init__(
        self, tokenizer: TokenizerStage, engine: EngineStage, postprocess: PostprocessStage
    ) -> None:
        """Pass requests through these stages."""
        self._tokenizer = tokenizer
        self._engine = engine
        self._postprocess = postprocess
        self.inputs = tokenizer.inputs
        self.tokenization = tokenizer.tokenization
        self.part_counts: PartCounts = PartCounts()
        self._results = [tensor.name for tensor in tokenizer.task.tokenizer_results]
        # Where the last stage takes nothing but the engine's outputs, a text is a row.
        outputs = {tensor.name for tensor in tokenizer.task.engine_outputs}
        self._is_by_row = outputs.issuperset(postprocess.inputs)

    @classmethod
    def open(cls, parameters: Mapping[str, str], folder: Path) -> "JoinedStages":
        """Open the three stages, each with its own parameters, on the files of the one folder.

        Raises:
            ErnieTritonError: one of them cannot be opened.
        """
        return cls(
            TokenizerStage.open(part_parameters(parameters, "tokenizer"), folder),
            EngineStage.open(part_parameters(parameters, "engine"), folder),
            PostprocessStage.open(part_parameters(parameters, "postprocess"), folder),
        )

    def read(self, tensors: Tensors) -> tuple[list[str], ...]:
        """Decode the request's texts.

        Raises:
            TextError: a text is not UTF-8.
        """
        return self._tokenizer.read(tensors)

    def run(self, items: Sequence[tuple[list[str], ...]]) -> list[StageOutput]:
        """Answer a batch of requests; those that the engine's stage defers, later.

        Raises:
            TextError: a request needs more windows than allowed.
        """
        if self._is_by_row:
            return self._run_by_row(items)
        started = perf_counter()
        tokens = self._tokenizer.run(items)
        tokenized = perf_counter()
        passed = _passed(self._engine, tokens)
        self._count(len(tokens), _rows(tokens), tokenized - started, perf_counter() - tokenized)
        answers: dict[int, StageOutput] = {}
        scored: dict[int, Tensors] = {}
        for place, outputs in enumerate(passed):
            if isinstance(outputs, Future):
                answers[place] = then(outputs, partial(self._answered_alone, tokens[place]))
            else:
                scored[place] = {**tokens[place], **outputs}
        if scored:
            answers.update(zip(scored, self._answered([*scored.values()]), strict=True))
        return [answers[place] for place in range(len(items))]

    def _run_by_row(self, items: Sequence[tuple[list[str], ...]]) -> list[StageOutput]:
        """The same without tensors of each request between the stages."""
        started = perf_counter()
        made, rows = self._tokenizer.rows(items)
        tokenized = perf_counter()
        batch = TokenBatch(
            input_ids=made.input_ids, token_type_ids=made.token_type_ids, lengths=made.lengths
        )
        outputs, later = self._engine.run_rows(batch, rows)
        self._count(len(rows), batch.rows, tokenized - started, perf_counter() - tokenized)
        truncated = split_rows({TRUNCATED.name: made.truncated[:, None]}, rows)
        answers: dict[int, StageOutput] = {
            place: then(found, partial(self._row_answer, truncated[place]))
            for place, found in later.items()
        }
        now = [place for place in range(len(rows)) if place not in later]
        if now:
            given = self._row_answers(outputs, [truncated[place] for place in now])
            answers.update(zip(now, given, strict=True))
        return [answers[place] for place in range(len(items))]

    def token_counts(self) -> list[int]:
        """Count the tokens of each request that ran last, without padding."""
        return self._engine.token_counts()

    def close(self) -> None:
        """Answer what was deferred."""
        self._engine.close()

    def _count(self, requests: int, rows: int, tokenizer_s: float, engine_s: float) -> None:
        """Count a batch; of requests that the engine's stage defers, the time is not known yet."""
        count = partial(self.part_counts.add, requests=requests, rows=rows)
        count("tokenizer", tokenizer_s)
        count("engine", engine_s, tokens=sum(self._engine.token_counts()))

    def _row_answers(self, outputs: Outputs, results: Sequence[Tensors]) -> Sequence[Tensors]:
        """The answers to requests from the engine's outputs of all their rows together."""
        started = perf_counter()
        given = {name: outputs[name] for name in self._postprocess.inputs}
        [found] = self._postprocess.run([self._postprocess.read(given)])
        rows = [len(result[TRUNCATED.name]) for result in results]
        parts = zip(split_rows(found, rows), results, strict=True)
        answers = [{**answer, **result} for answer, result in parts]
        seconds = perf_counter() - started
        self.part_counts.add("postprocess", seconds, requests=len(rows), rows=sum(rows))
        return answers

    def _row_answer(self, result: Tensors, outputs: Outputs) -> Tensors:
        return self._row_answers(outputs, [result])[0]

    def _answered(self, scored: Sequence[Tensors]) -> Sequence[Tensors]:
        """The answers to requests with the tensors of the first two stages."""
        started = perf_counter()
        answers = [
            {**answer, **{name: tensors[name] for name in self._results}}
            for answer, tensors in zip(_passed(self._postprocess, scored), scored, strict=True)
        ]
        seconds = perf_counter() - started
        rows = _rows(scored)
        self.part_counts.add("postprocess", seconds, requests=len(scored), rows=rows)
        return answers

    def _answered_alone(self, tokens: Tensors, outputs: Tensors) -> Tensors:
        return self._answered([{**tokens, **outputs}])[0]


def _rows(requests: Sequence[Tensors]) -> int:
    return sum(len(one[INPUT_IDS.name]) for one in requests)


def _passed(stage: Stage[Any], requests: Sequence[Tensors]) -> Sequence[Any]:
    """Outputs of a stage for the requests, given its own inputs of each."""
    given = ({name: tensors[name] for name in stage.inputs} for tensors in requests)
    return stage.run([stage.read(tensors) for tensors in given])
