"""The sample checkpoints as the build reads them, with their training records."""

import dataclasses
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import onnx

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.local_answers import PipelineParts
from ernie_triton.build.check.sample_texts import SampleRules, read_sample_texts
from ernie_triton.build.config import ModelSizes
from ernie_triton.build.convert.engine_file import write_engine
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.model.models import Model
from ernie_triton.engines import Engine, load_engine
from ernie_triton.pipeline import load_pipeline
from ernie_triton.settings import EngineSettings
from ernie_triton.tasks import task_named
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.paths import ROOT

PROBLEMS = {"multi_label": "multi_label", "similarity": "regression"}

METRICS = {
    "tnews": ("dev_accuracy",),
    "afqmc": ("dev_accuracy",),
    "multi_label": ("dev_micro_f1",),
    "similarity": ("dev_spearman",),
    "msra_ner": ("dev_f1",),
    "cmrc2018": ("dev_exact_match", "dev_f1"),
    "sentence_pairs": ("dev_spearman",),
}
"""By sample, what its metric is the mean of, in its `training.json`."""


class Sample:
    """One sample: its model, and the pipeline's parts around any engine."""

    def __init__(self, name: str) -> None:
        self.name = name
        spec = load_pipeline(ROOT / "pipelines" / f"{name}.toml")
        self.spec = dataclasses.replace(spec, task=PROBLEMS.get(name, spec.task))
        head = task_named(self.spec.task).head
        source = read_source(spec.checkpoint, WantedHead(head=head, pooling=spec.answering.pooling))
        assert isinstance(source.model, Model)
        self.model = source.model
        self.data = ROOT / "samples/data" / name / "dev.json"
        vocabulary = load_vocabulary(spec.checkpoint / "vocab.txt")
        encoder = TextEncoder(vocabulary, max_length=spec.max_length, lower_case=source.lower_case)
        sizes = ModelSizes(
            labels=() if head in ("span", "vector") else source.labels or ("LABEL_0",),
            hidden=self.model.encoder.hidden,
            lower_case=source.lower_case,
            pad_token_id=encoder.pad_token_id,
            vocabulary_size=vocabulary.size,
            token_types=len(self.model.encoder.token_type),
        )
        self.parts = PipelineParts(self.spec, sizes, encoder)

    @cached_property
    def recorded(self) -> dict[str, Any]:
        """The figures that transformers reached on the same examples, after training."""
        path = self.spec.checkpoint / "training.json"
        recorded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return recorded

    @property
    def points(self) -> float:
        """The metric in the sample's own framework, in hundredths."""
        figures = [float(self.recorded[name]) for name in METRICS[self.name]]
        return 100 * sum(figures) / len(figures)

    def texts(self) -> TokenBatch:
        """Our own sample texts, which no sample was trained or is measured on."""
        return read_sample_texts(None, SampleRules(texts=self.spec.row_texts)).encode(
            self.parts.encoder
        )

    def engine(self, graph: onnx.ModelProto, folder: Path, engine: str, precision: str) -> Engine:
        """An engine of a packed graph."""
        settings = EngineSettings(
            task=self.spec.task,
            pair=self.spec.pair,
            engine=engine,
            precision=precision,
            layout="packed",
            threads=2,
            max_length=self.spec.max_length,
            pad_token_id=self.parts.sizes.pad_token_id,
            vocabulary_size=self.parts.sizes.vocabulary_size,
            token_types=self.parts.sizes.token_types,
        )
        write_engine(graph, engine, folder)
        return load_engine(folder, settings)
