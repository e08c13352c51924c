"""The whole flow from a checkpoint to a published pipeline, step by step."""

import dataclasses
import datetime
import shutil
from pathlib import Path

import numpy as np
import onnx

import ernie_triton
from ernie_triton.build import config
from ernie_triton.build.check.exactness import compare, read_sample_texts
from ernie_triton.build.check.preconditions import check_student, check_vocabulary, vocabulary_path
from ernie_triton.build.check.reference import rows_of
from ernie_triton.build.check.speed import measure_speed
from ernie_triton.build.convert.conversion import Converted, check_quality, convert
from ernie_triton.build.convert.engine_file import adopt_graph, write_engine
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import Source, WantedHead
from ernie_triton.build.model.heads import VectorHead
from ernie_triton.build.model.models import AnyModel, trim_model
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.build.parts import BuildParts, Expected, Step, label_names
from ernie_triton.build.publish import manifest
from ernie_triton.build.publish.facts import engine_facts, model_facts, source_facts
from ernie_triton.build.publish.repository import StagedPipeline
from ernie_triton.build.publish.stage_files import write_stage_files
from ernie_triton.engines import Engine, load_engine
from ernie_triton.errors import CheckpointError
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.server.plans import PlanFacts
from ernie_triton.tasks import MULTI_LABEL, REGRESSION, SEQ_CLS, task_named
from ernie_triton.tokenizer.encoder import TextEncoder


def build_pipeline(spec: PipelineSpec, step: Step) -> manifest.Manifest:
    """Convert, check and publish one pipeline.

    Args:
        spec: what to build.
        step: reports each step.

    Raises:
        ErnieTritonError: any step failed; the repository is as it was.
    """
    parts = read_parts(spec, step)
    spec = parts.spec
    with StagedPipeline(spec.repository, spec.models, spec.version) as staged:
        made = _write_and_check(parts, staged, step)
        with step("publish") as notes:
            staged.publish()
            notes.append(f"{spec.repository / spec.name}")
    return made


def read_parts(spec: PipelineSpec, step: Step) -> BuildParts:
    """The source, and what every later step needs of it.

    Raises:
        ErnieTritonError: the checkpoint, its vocabulary or its labels do not fit the pipeline.
    """
    with step("read") as notes:
        wanted = WantedHead(head=task_named(spec.task).head, pooling=spec.answering.pooling)
        source = read_source(spec.checkpoint, wanted)
        spec = _as_its_problem(spec, source)
        check_student(source, spec)
        spec = _at_its_speed(spec, source)
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
        label_names(spec, source, source.model.head.output.outputs)
    with step("graph") as notes:
        model = source.model
        if model is not None:
            model = trim_model(model, max_length=spec.max_length, pair=spec.pair)
        graph = _graph(model, source, spec)
        notes.append(f"{len(graph.graph.node)} nodes, {spec.layout}")
    encoder = TextEncoder(
        vocabulary,
        max_length=spec.max_length,
        lower_case=source.lower_case,
        tokenize_chinese_chars=source.tokenize_chinese_chars,
    )
    samples = read_sample_texts(spec.texts, pair=spec.pair)
    batch = samples.encode(encoder)
    return BuildParts(
        spec=spec,
        source=source,
        model=model,
        vocabulary=vocabulary,
        vocabulary_path=path,
        samples=samples,
        encoder=encoder,
        batch=batch,
        graph=graph,
        expected=Expected(source, task_named(spec.task), batch),
    )


def _graph(model: AnyModel | None, source: Source, spec: PipelineSpec) -> onnx.ModelProto:
    """The canonical FP32 graph of a model, or the source's own where that was not recognised."""
    if model is not None:
        return export_onnx(model, spec.layout)
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


def _at_its_speed(spec: PipelineSpec, source: Source) -> PipelineSpec:
    """One thread for a student, unless a number is named.

    A run of it takes less than a millisecond, which waking further threads takes as well; the other
    stages have use for the cores.
    """
    if isinstance(source.model, SlimModel) and not spec.threads:
        return dataclasses.replace(spec, threads=1)
    return spec


def _write_and_check(parts: BuildParts, staged: StagedPipeline, step: Step) -> manifest.Manifest:
    spec = parts.spec
    converted = convert(parts, step)
    folder = staged.version_folder(spec.stage("engine"))
    files, engine = _engine(parts, converted, folder, step)
    sizes, exactness = _compare(parts, engine, step)
    quality = check_quality(converted, engine, step)
    speed = _speed(parts, engine, converted, step)
    plan = _plan(parts, files[0], step)
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
        model=model_facts(parts.source, parts.vocabulary, sizes.labels),
        engine=engine_facts(spec, converted.graph, files, fp32_bytes=parts.graph.ByteSize()),
        exactness=exactness,
        speed=speed,
        quality=quality,
        quantization=converted.quantization,
        plan=plan,
    )
    with step("write"):
        _write_models(parts, staged, sizes, made)
    return made


def _engine(
    parts: BuildParts, converted: Converted, folder: Path, step: Step
) -> tuple[list[Path], Engine]:
    """The engine's files and the engine, loaded from them."""
    spec = parts.spec
    with step("engine") as notes:
        halve_weights = spec.precision == "bf16"
        files = write_engine(converted.graph, spec.engine, folder, halve_weights=halve_weights)
        engine = load_engine(folder, parts.checking_settings(spec.precision))
        notes.append(f"{spec.engine} {spec.precision}")
    return files, engine


def _compare(
    parts: BuildParts, engine: Engine, step: Step
) -> tuple[config.ModelSizes, manifest.Exactness]:
    spec = parts.spec
    with step("compare") as notes:
        reference = parts.expected.reference
        sizes = parts.sizes()  # first: labels that do not fit say more than scores that differ
        most = spec.batching.max_batch_size
        exactness = compare(engine, reference, parts.batch, most, tolerance=spec.tolerance)
        notes.append(
            f"largest difference {exactness.largest_difference:.1e} on {parts.batch.rows} texts"
        )
    return sizes, exactness


def _speed(
    parts: BuildParts, engine: Engine, converted: Converted, step: Step
) -> manifest.Speed | None:
    if parts.spec.device == "gpu":
        return None
    with step("speed") as notes:
        fp32 = converted.fp32 if parts.spec.precision != "fp32" else None
        speed = measure_speed(engine, parts.batch, parts.spec.batching.max_batch_size, fp32)
        notes.append(f"{speed.texts_per_s:,.0f} texts/s")
    return speed


def _plan(parts: BuildParts, graph: Path, step: Step) -> PlanFacts | None:
    if parts.spec.engine != "tensorrt" or not parts.spec.tensorrt.plan:
        return None
    from ernie_triton.build.tensorrt import build_plan

    tokens = round(float(parts.batch.lengths.mean()))
    return build_plan(graph, parts.spec, graph.parent, tokens=tokens, step=step)


def _write_models(
    parts: BuildParts, staged: StagedPipeline, sizes: config.ModelSizes, made: manifest.Manifest
) -> None:
    spec, batch = parts.spec, parts.batch
    rows = list(rows_of(batch))
    shortest, longest = int(np.argmin(batch.lengths)), int(np.argmax(batch.lengths))
    warm_up = {
        sample: (parts.samples.row(index), rows[index])
        for sample, index in zip(config.WARM_UP_TEXTS, (shortest, longest), strict=True)
    }
    lengths = [len(ids) for _, (ids, _) in warm_up.values()]
    config.write_configs(staged, spec, sizes, lengths)
    write_stage_files(spec, staged, sizes.labels, warm_up)
    tokenizer = staged.version_folder(spec.stage("tokenizer"))
    shutil.copyfile(parts.vocabulary_path, tokenizer / "vocab.txt")
    path = staged.version_folder(spec.name) / manifest.MANIFEST_FILE
    path.write_text(made.to_json(), encoding="utf-8")
