"""All three stages in one process, for engines of our own on CPU.

What the stages of an ensemble hand on through the server stays in memory here: a request passes one
queue and one process instead of three.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from ernie_triton.arrays import Tensors
from ernie_triton.backends import engine, postprocess, tokenizer
from ernie_triton.backends.deferred import then
from ernie_triton.backends.stage import Answer, Stage
from ernie_triton.settings import part_parameters
from ernie_triton.tasks import task_named


class TritonPythonModel(Stage[tuple[list[str], ...]]):
    """Tokenises, runs and answers the requests of a batch together."""

    def open(self, parameters: Mapping[str, str], folder: Path) -> None:
        """Open the three stages, each with its own parameters, on the files of the one folder."""
        self._tokenizer = tokenizer.TritonPythonModel()
        self._engine = engine.TritonPythonModel()
        self._postprocess = postprocess.TritonPythonModel()
        stages: Mapping[str, Stage[Any]] = {
            "tokenizer": self._tokenizer,
            "engine": self._engine,
            "postprocess": self._postprocess,
        }
        for part, stage in stages.items():
            stage.open(part_parameters(parameters, part), folder)
        self.inputs = self._tokenizer.inputs
        task = task_named(parameters["tokenizer.task"])
        self._results = [tensor.name for tensor in task.tokenizer_results]

    def read(self, tensors: Tensors) -> tuple[list[str], ...]:
        """Decode the request's texts.

        Raises:
            TextError: one is not UTF-8.
        """
        return self._tokenizer.read(tensors)

    def run(self, items: Sequence[tuple[list[str], ...]]) -> list[Answer]:
        """Answer a batch of requests; later those that the engine's stage defers.

        Raises:
            TextError: a request needs more windows than allowed.
        """
        tokens = self._tokenizer.run(items)
        answers: dict[int, Answer] = {}
        scored: dict[int, Tensors] = {}
        for place, outputs in enumerate(_passed(self._engine, tokens)):
            if isinstance(outputs, Future):
                answers[place] = then(outputs, partial(self._answered_alone, tokens[place]))
            else:
                scored[place] = {**tokens[place], **outputs}
        if scored:
            answers.update(zip(scored, self._answered([*scored.values()]), strict=True))
        return [answers[place] for place in range(len(items))]

    def close(self) -> None:
        """Answer what was deferred."""
        self._engine.close()

    def _answered(self, scored: Sequence[Tensors]) -> Sequence[Tensors]:
        """The answers to requests with the tensors of the first two stages."""
        return [
            {**answer, **{name: tensors[name] for name in self._results}}
            for answer, tensors in zip(_passed(self._postprocess, scored), scored, strict=True)
        ]

    def _answered_alone(self, tokens: Tensors, outputs: Tensors) -> Tensors:
        return self._answered([{**tokens, **outputs}])[0]


def _passed(stage: Stage[Any], requests: Sequence[Tensors]) -> Sequence[Any]:
    """What a stage makes of the requests, given its own inputs of each."""
    given = ({name: tensors[name] for name in stage.inputs} for tensors in requests)
    return stage.run([stage.read(tensors) for tensors in given])
