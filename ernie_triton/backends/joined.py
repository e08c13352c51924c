"""All three stages in one process, for engines of our own on CPU.

What the stages of an ensemble hand on through the server stays in memory here: a request passes one
queue and one process instead of three.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ernie_triton.backends import engine, postprocess, tokenizer
from ernie_triton.backends.stage import Stage, Tensors
from ernie_triton.stage_settings import part_parameters
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

    def run(self, items: Sequence[tuple[list[str], ...]]) -> list[Tensors]:
        """Answer a batch of requests.

        Raises:
            TextError: a request needs more windows than allowed.
        """
        tokens = self._tokenizer.run(items)
        outputs = _passed(self._engine, tokens)
        scored = [{**one, **other} for one, other in zip(tokens, outputs, strict=True)]
        answers = _passed(self._postprocess, scored)
        return [
            {**answer, **{name: tensors[name] for name in self._results}}
            for answer, tensors in zip(answers, tokens, strict=True)
        ]


def _passed(stage: Stage[Any], requests: Sequence[Tensors]) -> Sequence[Tensors]:
    """What a stage makes of the requests, given its own inputs of each."""
    given = ({name: tensors[name] for name in stage.inputs} for tensors in requests)
    return stage.run([stage.read(tensors) for tensors in given])
