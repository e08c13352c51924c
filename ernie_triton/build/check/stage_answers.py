"""Answers of a pipeline's stages in this process, as a transport of the clients.

The stages are those that Triton runs, with the settings that they have there; only the server is
left out. The clients' own codecs work on it unchanged.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ernie_triton.arrays import Array, Tensors
from ernie_triton.client.wire import InferRequest, ModelFacts, Reply, RequestedOutput
from ernie_triton.errors import ErnieTritonError, RequestRefusedError
from ernie_triton.stages.stage import Stage


class StageAnswers:
    """A blocking transport of the clients that runs the stages itself."""

    def __init__(
        self,
        name: str,
        facts: ModelFacts,
        labels: Sequence[str],
        open_stages: Callable[[], Stage[Any]],
    ) -> None:
        """Open nothing before the first request.

        Args:
            name: the pipeline's.
            facts: those that its configuration states.
            labels: names in the order of its scores; empty for tasks without.
            open_stages: opens all stages as one.
        """
        self._name = name
        self._facts = facts
        self._labels = labels
        self._open_stages = open_stages

    @cached_property
    def _stages(self) -> Stage[Any]:
        return self._open_stages()

    def infer(self, request: InferRequest, timeout_s: float) -> Reply:  # noqa: ARG002
        """The answer to one request; it takes the time it takes.

        Raises:
            RequestRefusedError: a stage refuses the request.
            ErnieTritonError: the stages cannot be opened.
        """
        stages = self._stages
        texts = {name: _tensor(request, name) for name in stages.inputs}
        try:
            answer = stages.answer(texts)
        except ErnieTritonError as error:
            raise RequestRefusedError(str(error)) from error
        return {output.name: self._requested(output, answer) for output in request.outputs}

    def facts(self, timeout_s: float) -> ModelFacts:  # noqa: ARG002
        """The facts that were given."""
        return self._facts

    def ready_models(self, timeout_s: float) -> tuple[str, ...]:  # noqa: ARG002
        """The pipeline's name."""
        return (self._name,)

    def pause(self, pause_s: float) -> None:
        """Nothing is worth waiting for."""

    def close(self) -> None:
        """End the threads of the stages, where they were opened."""
        if "_stages" in vars(self):
            self._stages.close()

    def _requested(self, output: RequestedOutput, answer: Tensors) -> Array:
        values = answer[output.name]
        if not output.class_count:
            return values
        return classification(values, self._labels, output.class_count)


def classification(scores: Array, labels: Sequence[str], count: int) -> Array:
    """Triton's classification of scores [rows, labels]: `score:index:label`, the highest first."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    rows = [
        [f"{scores[row, index]:.6f}:{index}:{labels[index]}".encode() for index in indices]
        for row, indices in enumerate(order.tolist())
    ]
    return np.array(rows, np.object_)


def _tensor(request: InferRequest, name: str) -> Array:
    """Texts as Triton hands them to a stage, [rows, texts of a row]."""
    return np.array(request.columns[name], np.object_).reshape(request.shape_of(name))
