"""The manifest's facts, read off what a build has in hand."""

import importlib.metadata
from pathlib import Path

import onnx

from ernie_triton.build.load.source import Source
from ernie_triton.build.model.models import Model
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.build.publish.manifest import EngineFacts, ModelFacts, SourceFacts, file_hashes
from ernie_triton.pipeline import PipelineSpec
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
"""What training leaves beside a checkpoint, often larger than the model itself."""


def source_facts(source: Source) -> SourceFacts:
    """Where the weights came from."""
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


def model_facts(source: Source, vocabulary: Vocabulary, labels: tuple[str, ...]) -> ModelFacts:
    """The size of the model, and its labels."""
    model = source.model
    encoder = model.encoder if isinstance(model, Model) else None
    layers = encoder.layers if encoder else ()
    return ModelFacts(
        kind=model.kind if isinstance(model, SlimModel) else "",
        layers=len(layers),
        hidden=encoder.hidden if encoder else model.width if isinstance(model, SlimModel) else 0,
        heads=tuple(layer.heads for layer in layers),
        feed_forward=tuple(layer.intermediate.outputs for layer in layers),
        parameters=model.parameters if model else 0,
        vocabulary_size=vocabulary.size,
        labels=labels,
        max_positions=model.max_positions if model else 0,
    )


def engine_facts(
    spec: PipelineSpec, graph: onnx.ModelProto, files: list[Path], *, fp32_bytes: int
) -> EngineFacts:
    """The engine that was made, from its files; `fp32_bytes` is the FP32 graph's size."""
    installed = "" if spec.engine == "tensorrt" else importlib.metadata.version(spec.engine)
    return EngineFacts(
        engine=spec.engine,
        engine_version=installed,
        precision=spec.precision,
        layout=spec.layout,
        graph_nodes=len(graph.graph.node),
        opset=next(item.version for item in graph.opset_import if not item.domain),
        size_bytes=sum(path.stat().st_size for path in files),
        fp32_size_bytes=fp32_bytes,
        files=file_hashes(files),
    )
