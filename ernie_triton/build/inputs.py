"""The inputs of a build's steps: the checkpoint that was read, and what was made of it."""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import onnx

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.exported_reference import Reference, RowTokens
from ernie_triton.build.check.reference import batch_rows, reference_for
from ernie_triton.build.check.sample_texts import SampleTexts
from ernie_triton.build.check.speed import EngineChoice
from ernie_triton.build.config import ModelSizes
from ernie_triton.build.load.labels import read_label_file
from ernie_triton.build.load.source import Source
from ernie_triton.build.model.heads import TokenVectorHead
from ernie_triton.build.model.models import AnyModel
from ernie_triton.decoders.labels import check_label_count
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.settings import EngineSettings
from ernie_triton.tasks import Task, task_named
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import Vocabulary

_UNKNOWN_TOKEN_TYPES = 2


class SourceOutputs:
    """The source's own outputs on the sample texts, computed when they are first needed."""

    def __init__(self, source: Source, task: Task, batch: TokenBatch) -> None:
        """Keep the arguments; nothing is computed yet."""
        self._source = source
        self._task = task
        self._batch = batch

    @cached_property
    def reference(self) -> Reference:
        """The source's framework or its replacement, for the rows of the sample texts.

        It may take seconds to load, and its model goes when all rows have been computed.
        """
        source = reference_for(self._source, self._task)
        found = {_row_key(row): source.outputs(row) for row in batch_rows(self._batch)}
        return dataclasses.replace(source, outputs=lambda row: found[_row_key(row)])

    @property
    def width(self) -> int:
        """The last dimension of the first output: number of labels, or length of vectors."""
        outputs = self.reference.outputs(next(batch_rows(self._batch)))
        return int(next(iter(outputs.values())).shape[-1])


def _row_key(row: RowTokens) -> tuple[bytes, bytes]:
    return row[0].tobytes(), row[1].tobytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInputs:
    """Everything that the steps after reading need.

    Attributes:
        spec: the pipeline to build.
        source: the checkpoint that was read.
        model: the source's model, trimmed to the pipeline; None where it was not recognised.
        vocabulary: of the tokenizer stage.
        vocabulary_path: its file.
        samples: the sample texts.
        encoder: the tokenizer.
        batch: the sample texts as tokens.
        graph: the source as an FP32 graph.
        source_outputs: the source's own outputs on the sample texts.
        folder: how the files beside the weights decide the answers, in words; may be empty.
        choice: the speeds by which the engine was chosen; None where it was named.
    """

    spec: PipelineSpec
    source: Source
    model: AnyModel | None
    vocabulary: Vocabulary
    vocabulary_path: Path
    samples: SampleTexts
    encoder: TextEncoder
    batch: TokenBatch
    graph: onnx.ModelProto
    source_outputs: SourceOutputs
    folder: str = ""
    choice: EngineChoice | None = None

    def checking_settings(self, precision: str) -> EngineSettings:
        """The settings to run the engine on this machine, with ONNX Runtime for TensorRT."""
        spec, model = self.spec, self.model
        return EngineSettings(
            task=spec.task,
            pair=spec.pair,
            engine="onnxruntime" if spec.engine == "tensorrt" else spec.engine,
            precision=precision,
            layout=spec.layout,
            threads=spec.threads,
            max_length=spec.max_length,
            pad_token_id=self.encoder.pad_token_id,
            vocabulary_size=model.vocabulary_size if model else self.vocabulary.rows,
            token_types=model.token_types if model else _UNKNOWN_TOKEN_TYPES,
        )

    def sizes(self) -> ModelSizes:
        """The sizes that configurations and stages need.

        Raises:
            LabelCountError: the number of labels differs from the number of scores.
        """
        width = self.source_outputs.width
        head = self.model.head if self.model is not None else None
        settings = self.checking_settings(self.spec.precision)
        return ModelSizes(
            labels=pipeline_labels(self.spec, self.source, width),
            hidden=width,
            lower_case=self.source.lower_case,
            pad_token_id=settings.pad_token_id,
            vocabulary_size=settings.vocabulary_size,
            token_types=settings.token_types,
            is_canonical=self.model is not None,
            tokenize_chinese_chars=self.source.tokenize_chinese_chars,
            lower_texts=self.source.sentence is not None and self.source.sentence.lower_case,
            rules=self.vocabulary.rules,
            prompts=self.source.sentence.prompts if self.source.sentence is not None else {},
            skipped_tokens=head.skipped if isinstance(head, TokenVectorHead) else 0,
        )


def pipeline_labels(spec: PipelineSpec, source: Source, scores: int) -> tuple[str, ...]:
    """The label names, from the pipeline's label file, else the source, else numbers.

    Raises:
        LabelCountError: the number of labels differs from the number of scores.
    """
    if task_named(spec.task).head not in ("sequence", "token"):
        return ()
    if spec.labels is not None:
        labels = read_label_file(spec.labels)
    else:
        labels = source.labels or tuple(f"LABEL_{index}" for index in range(scores))
    check_label_count(labels, scores, f"the model in {source.path}")
    return labels
