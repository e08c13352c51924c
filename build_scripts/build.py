"""The whole flow from a checkpoint to a published pipeline, step by step."""

import datetime
import importlib.metadata
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

import ernie_triton
from build_scripts import config, manifest
from build_scripts.engine import adopt_graph, write_engine
from build_scripts.graph import export_onnx
from build_scripts.labels import read_label_file
from build_scripts.load import read_source
from build_scripts.load.source import Source
from build_scripts.reference import reference_for, rows_of
from build_scripts.repository import StagedPipeline
from build_scripts.stage_files import write_stage_files
from build_scripts.verify import SampleTexts, compare, measure_speed, read_sample_texts
from ernie_triton.batch import TokenBatch
from ernie_triton.decode import check_label_count
from ernie_triton.encode import TextEncoder
from ernie_triton.engines import load_engine
from ernie_triton.errors import CheckpointError, PipelineError, VocabularyError
from ernie_triton.pipeline import EngineSettings, PipelineSpec
from ernie_triton.tasks import task_named
from ernie_triton.vocabulary import PAD, Vocabulary, load_vocabulary

SPARE_VOCABULARY_ROWS = 127
"""Embedding rows without a token that are taken for padding of the table to a round size."""

_PACKAGES = {"openvino": "openvino", "onnxruntime": "onnxruntime"}
_UNKNOWN_TOKEN_TYPES = 2

Step = Callable[[str], AbstractContextManager[list[str]]]
"""`with step("name") as notes:` times a step; notes appended are printed with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What the steps after reading need."""

    spec: PipelineSpec
    source: Source
    vocabulary: Vocabulary
    vocabulary_path: Path
    samples: SampleTexts
    encoder: TextEncoder
    graph: onnx.ModelProto


def build_pipeline(spec: PipelineSpec, step: Step) -> manifest.Manifest:
    """Convert, check and publish one pipeline.

    Args:
        spec: what to build.
        step: reports each step.

    Raises:
        ErnieTritonError: any step failed; the repository is as it was.
    """
    with step("read") as notes:
        source = read_source(spec.checkpoint)
        notes.append(source.kind)
        if source.unrecognised:
            notes.append(f"served as it came, padded: {source.unrecognised}")
            spec = _as_it_came(spec)
    with step("vocabulary") as notes:
        path = spec.vocab or source.vocabulary
        vocabulary = check_vocabulary(path, source, spec)
        notes.append(f"{vocabulary.size:,} tokens, {path}")
    with step("graph") as notes:
        graph = pipeline_graph(source, spec)
        notes.append(f"{len(graph.graph.node)} nodes, {spec.layout}")
    encoder = TextEncoder(vocabulary, max_length=spec.max_length, lower_case=source.lower_case)
    parts = _Parts(
        spec=spec,
        source=source,
        vocabulary=vocabulary,
        vocabulary_path=_given(path),
        samples=read_sample_texts(spec.texts, pair=spec.pair),
        encoder=encoder,
        graph=graph,
    )
    models = [spec.name, *(spec.stage(part) for part in ("tokenizer", "engine", "postprocess"))]
    with StagedPipeline(spec.repository, models, spec.version) as staged:
        made = _write_and_check(parts, staged, step)
        with step("publish") as notes:
            staged.publish()
            notes.append(f"{spec.repository / spec.name}")
    return made


def check_vocabulary(path: Path | None, source: Source, spec: PipelineSpec) -> Vocabulary:
    """Load the vocabulary and hold it against the model's tables.

    Raises:
        VocabularyError: there is none, or it is not this model's.
        PipelineError: the pipeline wants more positions or token types than the model has.
    """
    if path is None:
        raise VocabularyError(f"{source.path} has no vocab.txt beside it; name one with --vocab")
    vocabulary = load_vocabulary(path)
    if source.model is None:
        return vocabulary
    encoder = source.model.encoder
    spare = encoder.vocabulary_size - vocabulary.size
    if not 0 <= spare <= SPARE_VOCABULARY_ROWS:
        raise VocabularyError(
            f"{path} has {vocabulary.size} tokens but the model embeds {encoder.vocabulary_size}; "
            f"use the vocabulary it was trained with (or add lines such as [unused1] for rows that "
            f"really have no token)"
        )
    if vocabulary.ids[PAD] != encoder.pad_token_id:
        raise VocabularyError(
            f"{path} has {PAD} at {vocabulary.ids[PAD]} but the model masks token "
            f"{encoder.pad_token_id}; use the vocabulary it was trained with"
        )
    if spec.max_length > encoder.max_positions:
        raise PipelineError(
            f"max_length is {spec.max_length} but the model has positions for "
            f"{encoder.max_positions} tokens"
        )
    if spec.pair and len(encoder.token_type) < 2:
        raise PipelineError("pairs need two token types and the model has one")
    return vocabulary


def pipeline_graph(source: Source, spec: PipelineSpec) -> onnx.ModelProto:
    """The canonical graph of a source, or its own where that was not recognised."""
    if source.model is not None:
        return export_onnx(source.model, spec.layout)
    if source.graph is None:
        raise CheckpointError(f"{source.path} has neither weights nor a graph")
    outputs = task_named(spec.task).engine_outputs
    return adopt_graph(source.graph, tuple(output.name for output in outputs))


def _as_it_came(spec: PipelineSpec) -> PipelineSpec:
    import dataclasses

    return dataclasses.replace(spec, layout="padded")


def _given(path: Path | None) -> Path:
    if path is None:
        raise VocabularyError("no vocabulary")
    return path


def _write_and_check(parts: _Parts, staged: StagedPipeline, step: Step) -> manifest.Manifest:
    spec = parts.spec
    folder = staged.version_folder(spec.stage("engine"))
    with step("engine") as notes:
        files = write_engine(parts.graph, spec.engine, folder)
        engine = load_engine(folder, _engine_settings(parts))
        notes.append(f"{spec.engine} {spec.precision}")
    batch = parts.samples.encode(parts.encoder)
    output = task_named(spec.task).engine_outputs[0].name
    with step("compare") as notes:
        reference = reference_for(parts.source)
        scores = len(reference.logits(next(rows_of(batch))))
        labels = _labels(parts, scores)
        exactness = compare(engine, reference, batch, output, spec.batching.max_batch_size)
        notes.append(f"largest difference {exactness.largest_difference:.1e} on {batch.rows} texts")
    with step("speed") as notes:
        speed = measure_speed(engine, batch, spec.batching.max_batch_size)
        notes.append(f"{speed.texts_per_s:,.0f} texts/s")
    made = manifest.Manifest(
        name=spec.name,
        version=spec.version,
        task=spec.task,
        pair=spec.pair,
        max_length=spec.max_length,
        max_batch_size=spec.batching.max_batch_size,
        ernie_triton=ernie_triton.__version__,
        built_at=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        source=_source_facts(parts.source),
        model=_model_facts(parts, labels),
        engine=_engine_facts(parts, files),
        exactness=exactness,
        speed=speed,
    )
    with step("write"):
        _write_models(parts, staged, labels, batch, made)
    return made


def _write_models(
    parts: _Parts,
    staged: StagedPipeline,
    labels: tuple[str, ...],
    batch: TokenBatch,
    made: manifest.Manifest,
) -> None:
    spec = parts.spec
    settings = _engine_settings(parts)
    facts = config.ModelFacts(
        labels=len(labels),
        lower_case=parts.source.lower_case,
        pad_token_id=settings.pad_token_id,
        vocabulary_size=settings.vocabulary_size,
        token_types=settings.token_types,
    )
    rows = list(rows_of(batch))
    shortest, longest = int(np.argmin(batch.lengths)), int(np.argmax(batch.lengths))
    warm_up = {
        sample: (parts.samples.row(index), rows[index])
        for sample, index in zip(config.WARM_UP_TEXTS, (shortest, longest), strict=True)
    }
    lengths = [len(ids) for _, (ids, _) in warm_up.values()]
    for model, text in config.pipeline_configs(spec, facts, lengths).items():
        (staged.model_folder(model) / "config.pbtxt").write_text(text, encoding="utf-8")
    write_stage_files(spec, staged, labels, warm_up)
    tokenizer = staged.version_folder(spec.stage("tokenizer"))
    shutil.copyfile(parts.vocabulary_path, tokenizer / "vocab.txt")
    path = staged.version_folder(spec.name) / manifest.MANIFEST_FILE
    path.write_text(made.to_json(), encoding="utf-8")


def _labels(parts: _Parts, scores: int) -> tuple[str, ...]:
    if parts.spec.labels is not None:
        labels = read_label_file(parts.spec.labels)
    else:
        labels = parts.source.labels or tuple(f"LABEL_{index}" for index in range(scores))
    check_label_count(labels, scores, f"the model in {parts.source.path}")
    return labels


def _engine_settings(parts: _Parts) -> EngineSettings:
    spec, model = parts.spec, parts.source.model
    return EngineSettings(
        task=spec.task,
        engine=spec.engine,
        precision=spec.precision,
        layout=spec.layout,
        threads=spec.threads,
        max_length=spec.max_length,
        pad_token_id=parts.encoder.pad_token_id,
        vocabulary_size=model.encoder.vocabulary_size if model else parts.vocabulary.size,
        token_types=len(model.encoder.token_type) if model else _UNKNOWN_TOKEN_TYPES,
    )


def _source_facts(source: Source) -> manifest.SourceFacts:
    folder = source.path if source.path.is_dir() else source.path.parent
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return manifest.SourceFacts(
        kind=source.kind,
        path=str(source.path),
        files=manifest.file_hashes(files),
        unrecognised=source.unrecognised,
    )


def _model_facts(parts: _Parts, labels: tuple[str, ...]) -> manifest.ModelFacts:
    model = parts.source.model
    layers = model.encoder.layers if model else ()
    return manifest.ModelFacts(
        layers=len(layers),
        hidden=model.encoder.hidden if model else 0,
        heads=tuple(layer.heads for layer in layers),
        feed_forward=tuple(layer.intermediate.outputs for layer in layers),
        parameters=model.parameters if model else 0,
        vocabulary_size=parts.vocabulary.size,
        labels=labels,
        max_positions=model.encoder.max_positions if model else 0,
    )


def _engine_facts(parts: _Parts, files: list[Path]) -> manifest.EngineFacts:
    spec = parts.spec
    return manifest.EngineFacts(
        engine=spec.engine,
        engine_version=importlib.metadata.version(_PACKAGES[spec.engine]),
        precision=spec.precision,
        layout=spec.layout,
        graph_nodes=len(parts.graph.graph.node),
        opset=next(item.version for item in parts.graph.opset_import if not item.domain),
        size_bytes=sum(path.stat().st_size for path in files),
        files=manifest.file_hashes(files),
    )
