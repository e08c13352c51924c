"""Answers of a pipeline's stages in this process, as a transport of the clients.

The stages are those that Triton runs, with the settings that they will have there; only the server
is left out. The clients' own codecs and scorers work on it unchanged, so a figure measured here is
the one that `--evaluate` prints.
"""

from functools import cached_property
from typing import Any

import numpy as np

from ernie_triton.arrays import Array, Tensors
from ernie_triton.build import config
from ernie_triton.client.evaluation.evaluating import Evaluator
from ernie_triton.client.wire import Endpoint, InferRequest, ModelFacts, Reply, RequestedOutput
from ernie_triton.decoders.labels import LabelSettings
from ernie_triton.engines import Engine
from ernie_triton.errors import ErnieTritonError, RequestRefusedError
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.stages.asked_texts import ExtractionSettings
from ernie_triton.stages.engine import EngineStage
from ernie_triton.stages.extraction import JoinedExtraction
from ernie_triton.stages.joined import JoinedStages
from ernie_triton.stages.postprocess import PostprocessStage
from ernie_triton.stages.stage import Stage
from ernie_triton.stages.tokenizer import TokenizerStage
from ernie_triton.tasks import task_named
from ernie_triton.tokenizer.encoder import TextEncoder


class PipelineParts:
    """The stages of a pipeline, for any engine between them."""

    def __init__(self, spec: PipelineSpec, sizes: config.ModelSizes, encoder: TextEncoder) -> None:
        """Make the stages with their settings.

        Args:
            spec: the pipeline.
            sizes: of its model.
            encoder: the tokenizer stage's.
        """
        self.spec = spec
        self.task = task_named(spec.task)
        self.sizes = sizes
        self.encoder = encoder
        self._settings = config.tokenizer_stage_settings(spec, sizes)

    @cached_property
    def thresholds(self) -> tuple[float, ...]:
        """The probability from which each label is selected; empty for other tasks."""
        if self.task.asks_again:
            return ()
        settings = config.postprocess_settings(self.spec, self.task, self.sizes)
        return settings.thresholds if isinstance(settings, LabelSettings) else ()

    @cached_property
    def postprocess(self) -> PostprocessStage:
        """The last stage, of tasks that ask the engine once."""
        settings = config.postprocess_settings(self.spec, self.task, self.sizes)
        tokens = self.encoder.vocabulary.names() if self.task.is_asked else self.sizes.labels
        return PostprocessStage(settings.to_parameters(), tokens)

    def stages_around(self, engine: Engine) -> Stage[Any]:
        """All stages, with this engine."""
        engine_stage = EngineStage(engine, defers=False)
        if isinstance(self._settings, ExtractionSettings):
            return JoinedExtraction(self._settings, self.encoder, engine_stage)
        tokenizer = TokenizerStage(self._settings, self.encoder)
        return JoinedStages(tokenizer, engine_stage, self.postprocess)


class LocalAnswers:
    """A blocking transport of the clients whose answers come from an engine at hand."""

    def __init__(self, parts: PipelineParts, engine: Engine) -> None:
        """Put an engine between the stages."""
        self._parts = parts
        self._stages = parts.stages_around(engine)

    def infer(self, request: InferRequest, timeout_s: float) -> Reply:  # noqa: ARG002
        """The answer to one request; it takes the time it takes.

        Raises:
            RequestRefusedError: a stage refuses the request.
        """
        texts = {name: _tensor(request, name) for name in self._stages.inputs}
        try:
            answer = self._stages.answer(texts)
        except ErnieTritonError as error:
            raise RequestRefusedError(str(error)) from error
        return {output.name: self._requested(output, answer) for output in request.outputs}

    def facts(self, timeout_s: float) -> ModelFacts:  # noqa: ARG002
        """Describe the model as the ensemble's configuration will."""
        parts = self._parts
        sizes = parts.sizes.by_name
        outputs = (*config.results(parts.spec), *parts.task.tokenizer_results)
        return ModelFacts(
            max_batch_size=parts.spec.batching.max_batch_size,
            inputs=self._stages.inputs,
            outputs={tensor.name: tensor.resolved(sizes) for tensor in outputs},
        )

    def ready_models(self, timeout_s: float) -> tuple[str, ...]:  # noqa: ARG002
        """The ensemble's name."""
        return (self._parts.spec.name,)

    def pause(self, pause_s: float) -> None:
        """Nothing is worth waiting for."""

    def close(self) -> None:
        """End the threads of the stages."""
        self._stages.close()

    def _requested(self, output: RequestedOutput, answer: Tensors) -> Array:
        values = answer[output.name]
        if not output.class_count:
            return values
        return classification(values, self._parts.sizes.labels, output.class_count)


def local_evaluator(parts: PipelineParts, engine: Engine) -> Evaluator:
    """The evaluator of an engine between a pipeline's stages, in this process."""
    return Evaluator(
        LocalAnswers(parts, engine),
        Endpoint(url="this process", model=parts.spec.name),
        task=parts.task.name,
        max_rows=parts.spec.batching.max_batch_size,
    )


def classification(scores: Array, labels: tuple[str, ...], count: int) -> Array:
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
