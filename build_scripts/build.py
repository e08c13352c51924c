"""The whole flow from a checkpoint to a published pipeline, step by step."""

import dataclasses
import datetime
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

import ernie_triton
from build_scripts import config, manifest
from build_scripts.checks import check_vocabulary, vocabulary_path
from build_scripts.encoder import VectorHead
from build_scripts.engine import adopt_graph, write_engine
from build_scripts.facts import engine_facts, model_facts, source_facts
from build_scripts.graph import export_onnx
from build_scripts.labels import read_label_file
from build_scripts.load import read_source
from build_scripts.load.source import Source, Wanted
from build_scripts.reference import reference_for, rows_of
from build_scripts.repository import StagedPipeline
from build_scripts.stage_files import write_stage_files
from build_scripts.verify import SampleTexts, compare, measure_speed, read_sample_texts
from ernie_triton.batch import TokenBatch
from ernie_triton.decoders.labels import check_label_count
from ernie_triton.encode import TextEncoder
from ernie_triton.engines import load_engine
from ernie_triton.errors import CheckpointError
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.stage_settings import EngineSettings
from ernie_triton.tasks import MULTI_LABEL, REGRESSION, SEQ_CLS, task_named
from ernie_triton.vocabulary import Vocabulary

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
        wanted = Wanted(head=task_named(spec.task).head, pooling=spec.answering.pooling)
        source = read_source(spec.checkpoint, wanted)
        spec = _as_its_problem(spec, source)
        notes.append(source.kind)
        if source.unrecognised:
            notes.append(f"served as it came, padded: {source.unrecognised}")
            spec = dataclasses.replace(spec, layout="padded")
    with step("vocabulary") as notes:
        path = vocabulary_path(source, spec)
        vocabulary = check_vocabulary(path, source, spec)
        notes.append(f"{vocabulary.size:,} tokens, {path}")
    if source.model is not None and not isinstance(source.model.head, VectorHead):
        # Before the source's framework loads it, which may have its own way of refusing.
        _labels(spec, source, source.model.head.output.outputs)
    with step("graph") as notes:
        graph = pipeline_graph(source, spec)
        notes.append(f"{len(graph.graph.node)} nodes, {spec.layout}")
    encoder = TextEncoder(vocabulary, max_length=spec.max_length, lower_case=source.lower_case)
    parts = _Parts(
        spec=spec,
        source=source,
        vocabulary=vocabulary,
        vocabulary_path=path,
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


def pipeline_graph(source: Source, spec: PipelineSpec) -> onnx.ModelProto:
    """The canonical graph of a source, or its own where that was not recognised."""
    if source.model is not None:
        return export_onnx(source.model, spec.layout)
    if source.graph is None:
        raise CheckpointError(f"{source.path} has neither weights nor a graph")
    outputs = task_named(spec.task).engine_outputs
    return adopt_graph(source.graph, tuple(output.name for output in outputs))


def _as_its_problem(spec: PipelineSpec, source: Source) -> PipelineSpec:
    """The task that a sequence classifier's configuration says it was trained for.

    The pipeline takes that task's default name where it had its own task's.
    """
    problems = {"multi_label_classification": MULTI_LABEL, "regression": REGRESSION}
    if spec.task == SEQ_CLS.name and source.problem in problems:
        task = problems[source.problem]
        name = task.default_model if spec.name == SEQ_CLS.default_model else spec.name
        return dataclasses.replace(spec, task=task.name, name=name)
    return spec


def _write_and_check(parts: _Parts, staged: StagedPipeline, step: Step) -> manifest.Manifest:
    spec = parts.spec
    folder = staged.version_folder(spec.stage("engine"))
    with step("engine") as notes:
        files = write_engine(parts.graph, spec.engine, folder)
        engine = load_engine(folder, _engine_settings(parts))
        notes.append(f"{spec.engine} {spec.precision}")
    batch = parts.samples.encode(parts.encoder)
    with step("compare") as notes:
        reference = reference_for(parts.source, task_named(spec.task))
        outputs = reference.outputs(next(rows_of(batch)))
        width = next(iter(outputs.values())).shape[-1]
        labels = _labels(spec, parts.source, width)
        exactness = compare(
            engine, reference, batch, spec.batching.max_batch_size, tolerance=spec.tolerance
        )
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
        source=source_facts(parts.source),
        model=model_facts(parts.source, parts.vocabulary, labels),
        engine=engine_facts(spec, parts.graph, files),
        exactness=exactness,
        speed=speed,
    )
    with step("write"):
        sizes = config.ModelSizes(
            labels=labels,
            hidden=width,
            lower_case=parts.source.lower_case,
            pad_token_id=engine.settings.pad_token_id,
            vocabulary_size=engine.settings.vocabulary_size,
            token_types=engine.settings.token_types,
        )
        _write_models(parts, staged, sizes, batch, made)
    return made


def _write_models(
    parts: _Parts,
    staged: StagedPipeline,
    sizes: config.ModelSizes,
    batch: TokenBatch,
    made: manifest.Manifest,
) -> None:
    spec = parts.spec
    rows = list(rows_of(batch))
    shortest, longest = int(np.argmin(batch.lengths)), int(np.argmax(batch.lengths))
    warm_up = {
        sample: (parts.samples.row(index), rows[index])
        for sample, index in zip(config.WARM_UP_TEXTS, (shortest, longest), strict=True)
    }
    lengths = [len(ids) for _, (ids, _) in warm_up.values()]
    for model, text in config.pipeline_configs(spec, sizes, lengths).items():
        (staged.model_folder(model) / "config.pbtxt").write_text(text, encoding="utf-8")
    write_stage_files(spec, staged, sizes.labels, warm_up)
    tokenizer = staged.version_folder(spec.stage("tokenizer"))
    shutil.copyfile(parts.vocabulary_path, tokenizer / "vocab.txt")
    path = staged.version_folder(spec.name) / manifest.MANIFEST_FILE
    path.write_text(made.to_json(), encoding="utf-8")


def _labels(spec: PipelineSpec, source: Source, scores: int) -> tuple[str, ...]:
    if task_named(spec.task).head in ("span", "vector"):
        return ()
    if spec.labels is not None:
        labels = read_label_file(spec.labels)
    else:
        labels = source.labels or tuple(f"LABEL_{index}" for index in range(scores))
    check_label_count(labels, scores, f"the model in {source.path}")
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
