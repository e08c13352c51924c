"""Answers of a pipeline that is being built, by any engine for it.

The clients' own scorers work on them unchanged, so a figure measured here is the one that
`--evaluate` prints.
"""

from functools import cached_property
from typing import Any

from ernie_triton.build import config
from ernie_triton.build.check.stage_answers import StageAnswers
from ernie_triton.client.evaluation.evaluating import Evaluator
from ernie_triton.client.wire import Endpoint, ModelFacts
from ernie_triton.decoders.labels import LabelSettings
from ernie_triton.engines import Engine
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


class LocalAnswers(StageAnswers):
    """A blocking transport of the clients whose answers come from an engine at hand."""

    def __init__(self, parts: PipelineParts, engine: Engine) -> None:
        """Put an engine between the stages, described as the ensemble's configuration will."""
        stages = parts.stages_around(engine)
        outputs = (*config.results(parts.spec), *parts.task.tokenizer_results)
        facts = ModelFacts(
            max_batch_size=parts.spec.batching.max_batch_size,
            inputs=stages.inputs,
            outputs={tensor.name: tensor.resolved(parts.sizes.by_name) for tensor in outputs},
        )
        super().__init__(parts.spec.name, facts, parts.sizes.labels, lambda: stages)


def local_evaluator(parts: PipelineParts, engine: Engine) -> Evaluator:
    """The evaluator of an engine between a pipeline's stages, in this process."""
    return Evaluator(
        LocalAnswers(parts, engine),
        Endpoint(url="this process", model=parts.spec.name),
        task=parts.task.name,
        max_rows=parts.spec.batching.max_batch_size,
    )
