"""The facts of a build, kept beside the ensemble as JSON; `summary` prints them for people."""

import dataclasses
import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from ernie_triton.build.check.exactness import Exactness
from ernie_triton.build.check.precision_check import Quality
from ernie_triton.build.check.speed import EngineChoice, Speed
from ernie_triton.build.convert.quantization import QuantizationFacts
from ernie_triton.build.load.source import Source
from ernie_triton.build.model.models import Model
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.gpu.plans import PlanFacts, file_sha256
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.processor import instruction_sets
from ernie_triton.server.builds.manifest_file import sealed_json
from ernie_triton.tokenizer.vocabulary import Vocabulary

_SOURCE_SUFFIXES = {
    ".json",
    ".txt",
    ".safetensors",
    ".bin",
    ".pdparams",
    ".pdmodel",
    ".pdiparams",
    ".onnx",
}
_TRAINING_STATE = ("optimizer", "scheduler", "training_args", "rng_state")
"""Files that training leaves beside a checkpoint, often larger than the model itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """The origin of the weights; `files` are SHA-256 by file name."""

    kind: str
    path: str
    files: dict[str, str]
    unrecognised: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModelFacts:
    """The size of the model; zeros where its graph was served as it came.

    `kind` is that of a student without layers, `bow` or `cnn`, of word vectors as wide as `hidden`;
    it is empty for an encoder.
    """

    layers: int
    hidden: int
    heads: tuple[int, ...]
    feed_forward: tuple[int, ...]
    parameters: int
    vocabulary_size: int
    labels: tuple[str, ...]
    max_positions: int
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """The engine that was made.

    Attributes:
        engine: the runtime.
        engine_version: of its package at the build; empty for TensorRT, whose plan has its own.
        precision: what it computes in.
        layout: of its inputs.
        graph_nodes: nodes of the ONNX graph that it was made of.
        opset: of that graph.
        size_bytes: of its files together.
        fp32_size_bytes: of the same model's weights in an FP32 graph.
        files: SHA-256 by file name.
        instructions: instruction sets of the processor that it was proved on; see
            `ernie_triton.processor`.
    """

    engine: str
    engine_version: str
    precision: str
    layout: str
    graph_nodes: int
    opset: int
    size_bytes: int
    fp32_size_bytes: int
    files: dict[str, str]
    instructions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One build.

    Attributes:
        quality: what the conversion costs; None where nothing was converted or measured.
        quantization: None unless INT8.
        speed: None where the engine is for a GPU.
        plan: of TensorRT; None where there is none yet.
        files: SHA-256 of every file that decides an answer, by its path in the repository.
        build: the identity of those, the same in every place that names the build.
        folder: how the files beside the weights decide the answers, in words; may be empty.
        choice: the speeds by which the engine was chosen; None where it was named.
        joined: whether all stages are one model, instead of an ensemble.
    """

    name: str
    version: int
    task: str
    pair: bool
    max_length: int
    max_batch_size: int
    ernie_triton: str
    built_at: str
    source: SourceFacts
    model: TrainedModelFacts
    engine: EngineFacts
    exactness: Exactness
    speed: Speed | None
    quality: Quality | None = None
    quantization: QuantizationFacts | None = None
    plan: PlanFacts | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    build: str = ""
    folder: str = ""
    choice: EngineChoice | None = None
    joined: bool = False

    def to_json(self) -> str:
        """The manifest as indented JSON, with its own checksum as the last entry."""
        return sealed_json(dataclasses.asdict(self))


def source_facts(source: Source) -> SourceFacts:
    """The facts of the source."""
    folder = source.path if source.path.is_dir() else source.path.parent
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in _SOURCE_SUFFIXES and not path.name.startswith(_TRAINING_STATE)
    ]
    return SourceFacts(
        kind=source.kind,
        path=str(source.path),
        files=file_hashes(files),
        unrecognised=source.unrecognised,
    )


def model_facts(
    source: Source, vocabulary: Vocabulary, labels: tuple[str, ...]
) -> TrainedModelFacts:
    """The size of the model, and its labels."""
    model = source.model
    encoder = model.encoder if isinstance(model, Model) else None
    layers = encoder.layers if encoder else ()
    return TrainedModelFacts(
        kind=model.kind if isinstance(model, SlimModel) else "",
        layers=len(layers),
        hidden=encoder.hidden if encoder else model.width if isinstance(model, SlimModel) else 0,
        heads=tuple(layer.heads for layer in layers),
        feed_forward=tuple(layer.intermediate.outputs for layer in layers),
        parameters=model.parameters if model else 0,
        vocabulary_size=vocabulary.rows,
        labels=labels,
        max_positions=model.max_positions if model else 0,
    )


def engine_facts(
    spec: PipelineSpec, graph: onnx.ModelProto, files: list[Path], *, in_fp32: onnx.ModelProto
) -> EngineFacts:
    """The engine that was made, from its files; `in_fp32` is its graph in FP32."""
    installed = "" if spec.engine == "tensorrt" else importlib.metadata.version(spec.engine)
    return EngineFacts(
        engine=spec.engine,
        engine_version=installed,
        precision=spec.precision,
        layout=spec.layout,
        graph_nodes=len(graph.graph.node),
        opset=next(item.version for item in graph.opset_import if not item.domain),
        size_bytes=sum(path.stat().st_size for path in files),
        # One by one: the size of a whole graph would be taken by writing it to memory.
        fp32_size_bytes=sum(item.ByteSize() for item in in_fp32.graph.initializer),
        files=file_hashes(files),
        instructions=() if spec.device == "gpu" else instruction_sets(),
    )


def file_hashes(files: list[Path]) -> dict[str, str]:
    """SHA-256 of each file, by name."""
    return {path.name: file_sha256(path) for path in files}
