"""What the steps of a build share: the source and all that was read and made of it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnx

from ernie_triton.batch import TokenBatch
from ernie_triton.build import config
from ernie_triton.build.check.exactness import SampleTexts
from ernie_triton.build.check.reference import Reference, Row, reference_for, rows_of
from ernie_triton.build.load.labels import read_label_file
from ernie_triton.build.load.source import Source
from ernie_triton.build.model.models import AnyModel
from ernie_triton.decoders.labels import check_label_count
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.settings import EngineSettings
from ernie_triton.tasks import Task, task_named
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import Vocabulary

_UNKNOWN_TOKEN_TYPES = 2

Step = Callable[[str], AbstractContextManager[list[str]]]
"""`with step("name") as notes:` times a step; notes appended are printed with it."""


class Expected:
    """The source's own outputs on the sample texts, each computed once, when first asked for."""

    def __init__(self, source: Source, task: Task, batch: TokenBatch) -> None:
        """Remember what to ask."""
        self._source = source
        self._task = task
        self._batch = batch
        self._found: dict[tuple[bytes, bytes], Mapping[str, npt.NDArray[Any]]] = {}

    @cached_property
    def reference(self) -> Reference:
        """The source's framework, or what stands for it; it may take seconds to load."""
        source = reference_for(self._source, self._task)

        def outputs(row: Row) -> Mapping[str, npt.NDArray[Any]]:
            key = (row[0].tobytes(), row[1].tobytes())
            if key not in self._found:
                self._found[key] = source.outputs(row)
            return self._found[key]

        return Reference(name=source.name, outputs=outputs)

    @property
    def width(self) -> int:
        """The last dimension of the first output: labels, or the length of vectors."""
        outputs = self.reference.outputs(next(rows_of(self._batch)))
        return int(next(iter(outputs.values())).shape[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildParts:
    """What the steps after reading need.

    Attributes:
        spec: what to build.
        source: what was read.
        model: the source's model, fitted to the pipeline; None where it was not recognised.
        vocabulary: of the tokenizer stage.
        vocabulary_path: its file.
        samples: the sample texts.
        encoder: the tokenizer.
        batch: the sample texts as tokens.
        graph: the source as an FP32 graph.
        expected: the source's own outputs.
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
    expected: Expected

    def checking_settings(self, precision: str) -> EngineSettings:
        """The settings by which this machine runs the engine; ONNX Runtime stands for TensorRT."""
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
            vocabulary_size=model.vocabulary_size if model else self.vocabulary.size,
            token_types=model.token_types if model else _UNKNOWN_TOKEN_TYPES,
        )

    def sizes(self) -> config.ModelSizes:
        """What configurations and stages need to know of the model.

        Raises:
            LabelCountError: the labels are not one for each score.
        """
        width = self.expected.width
        settings = self.checking_settings(self.spec.precision)
        return config.ModelSizes(
            labels=label_names(self.spec, self.source, width),
            hidden=width,
            lower_case=self.source.lower_case,
            pad_token_id=settings.pad_token_id,
            vocabulary_size=settings.vocabulary_size,
            token_types=settings.token_types,
            is_canonical=self.model is not None,
            tokenize_chinese_chars=self.source.tokenize_chinese_chars,
        )


def label_names(spec: PipelineSpec, source: Source, scores: int) -> tuple[str, ...]:
    """The names of the labels: of the file that was named, the source's own, or numbers.

    Raises:
        LabelCountError: they are not one for each score.
    """
    if task_named(spec.task).head in ("span", "vector"):
        return ()
    if spec.labels is not None:
        labels = read_label_file(spec.labels)
    else:
        labels = source.labels or tuple(f"LABEL_{index}" for index in range(scores))
    check_label_count(labels, scores, f"the model in {source.path}")
    return labels
