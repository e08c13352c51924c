"""The whole flow from a checkpoint to a published pipeline, one function a step."""

import dataclasses
import datetime
import os
from pathlib import Path

import onnx

import ernie_triton
from ernie_triton.build.check.engine_proof import prove_engine
from ernie_triton.build.check.exactness import Exactness, compare
from ernie_triton.build.check.preconditions import (
    bounded_length,
    check_student,
    check_vocabulary,
    vocabulary_path,
)
from ernie_triton.build.check.sample_texts import read_sample_texts, sample_rules
from ernie_triton.build.check.speed import Speed, measure_speed
from ernie_triton.build.checkpoint_defaults import folder_words, with_checkpoint_defaults
from ernie_triton.build.config import ModelSizes, ranking_label
from ernie_triton.build.convert.conversion import (
    Converted,
    check_quality,
    convert_graph,
    engine_of_graph,
)
from ernie_triton.build.convert.engine_choice import with_engine_chosen
from ernie_triton.build.convert.engine_file import adopt_graph, write_engine
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.inputs import BuildInputs, SourceOutputs, pipeline_labels
from ernie_triton.build.load import read_source
from ernie_triton.build.load.settings import trained_task
from ernie_triton.build.load.source import Source, wanted_head
from ernie_triton.build.model.heads import VectorHead
from ernie_triton.build.model.models import AnyModel, trim_model, with_mask_id
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.build.progress import StepReporter
from ernie_triton.build.publish import manifest
from ernie_triton.build.publish.manifest import engine_facts, model_facts, source_facts
from ernie_triton.build.publish.model_files import write_models
from ernie_triton.build.publish.repository import StagedPipeline
from ernie_triton.engines import Engine, load_engine
from ernie_triton.errors import CheckpointError
from ernie_triton.gpu.plans import PlanFacts
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.processor import has_bfloat16, instruction_sets
from ernie_triton.tasks import RERANK, SEQ_CLS, task_named
from ernie_triton.tokenizer.encoder import TextEncoder

_MOST_PROCESSES = 8
"""Of a Python stage by default: each is a process with its own memory."""


def build_pipeline(spec: PipelineSpec, step: StepReporter) -> manifest.Manifest:
    """Convert, check and publish one pipeline.

    Args:
        spec: what to build.
        step: reports each step.

    Raises:
        ErnieTritonError: any step failed; the repository is as it was.
    """
    inputs = read_inputs(with_stage_instances(spec), step)
    spec = inputs.spec
    with StagedPipeline(spec.repository, spec.models, spec.version) as staged:
        made = _write_and_check(with_engine_chosen(inputs, step), staged, step)
        with step("publish") as notes:
            staged.publish()
            notes.append(f"{spec.repository / spec.name}")
    return made


def read_inputs(spec: PipelineSpec, step: StepReporter) -> BuildInputs:
    """Read the checkpoint and make the inputs of every later step.

    Raises:
        ErnieTritonError: the checkpoint, its vocabulary or its labels do not fit the pipeline.
    """
    with step("read") as notes:
        source = read_source(spec.checkpoint, wanted_head(spec))
        given = spec = _with_trained_task(spec, source)
        spec = with_checkpoint_defaults(spec, source)
        check_student(source, spec)
        spec = _with_student_threads(spec, source)
        notes += [source.kind, source.note] if source.note else [source.kind]
        if folder := folder_words(given, spec, source):
            notes.append(folder)
        if source.unrecognised and task_named(spec.task).head == "masked":
            raise CheckpointError(
                f"{source.path} is not recognised ({source.unrecognised}), and a graph that is "
                f"served as it came scores every token; build from the weights"
            )
        if source.unrecognised:
            notes.append(f"served as it came, padded: {source.unrecognised}")
            spec = dataclasses.replace(spec, layout="padded")
    with step("vocabulary") as notes:
        path = vocabulary_path(source, spec)
        asked, spec = spec.max_length, bounded_length(spec, source)
        vocabulary = check_vocabulary(path, source, spec)
        model = with_mask_id(source.model, vocabulary, path)
        source = dataclasses.replace(source, model=model)
        notes.append(f"{vocabulary.rows:,} tokens, {path}")
        if spec.max_length != asked:
            notes.append(f"max_length {spec.max_length}, its model_max_length, instead of {asked}")
    if source.model is not None and not isinstance(source.model.head, VectorHead):
        # Checked before the source's framework loads the model: its own message is less clear.
        labels = pipeline_labels(spec, source, source.model.head.output.outputs)
        if spec.task == RERANK.name:
            ranking_label(labels, spec.answering.rank_label)
    with step("graph") as notes:
        if model is not None:
            model = trim_model(model, max_length=spec.max_length, pair=spec.pair)
        graph = _graph(model, source, spec)
        notes.append(f"{len(graph.graph.node)} nodes, {spec.layout}")
    encoder = TextEncoder(
        vocabulary,
        max_length=spec.max_length,
        lower_case=source.lower_case,
        tokenize_chinese_chars=source.tokenize_chinese_chars,
        prompt=spec.answering.prompt or "",
        lower_texts=source.sentence is not None and source.sentence.lower_case,
    )
    samples = read_sample_texts(spec.texts, sample_rules(spec, vocabulary))
    batch = samples.encode(encoder)
    return BuildInputs(
        spec=spec,
        source=source,
        model=model,
        vocabulary=vocabulary,
        vocabulary_path=path,
        samples=samples,
        encoder=encoder,
        batch=batch,
        graph=graph,
        source_outputs=SourceOutputs(source, task_named(spec.task), batch),
        folder=folder,
    )


def _graph(model: AnyModel | None, source: Source, spec: PipelineSpec) -> onnx.ModelProto:
    """The canonical FP32 graph, or the source's own graph where the model was not recognised."""
    if model is not None:
        return export_onnx(model, spec.layout)
    if source.graph is None:
        raise CheckpointError(f"{source.path} has neither weights nor a graph")
    outputs = task_named(spec.task).engine_outputs
    return adopt_graph(source.graph, tuple(output.name for output in outputs))


def _with_trained_task(spec: PipelineSpec, source: Source) -> PipelineSpec:
    """The pipeline with the task that a sequence classifier was trained for.

    Its configuration names that task; a default name changes with it.
    """
    task = trained_task("sequence", source.problem)
    if spec.task == SEQ_CLS.name != task.name:
        name = task.default_model if spec.name == SEQ_CLS.default_model else spec.name
        return dataclasses.replace(spec, task=task.name, name=name)
    return spec


def _with_student_threads(spec: PipelineSpec, source: Source) -> PipelineSpec:
    """The pipeline with one engine thread for a student, unless it names a number.

    A student runs in less than a millisecond. Waking more threads takes as long, and the other
    stages can use the cores.
    """
    if isinstance(source.model, SlimModel) and not spec.threads:
        return dataclasses.replace(spec, threads=1)
    return spec


def with_stage_instances(spec: PipelineSpec) -> PipelineSpec:
    """The pipeline with processes for the Python stages around a GPU, unless it names a number.

    A GPU answers more texts than one process tokenises. A quarter of the cores for either stage
    leaves half of them to the server and the clients' network.
    """
    if spec.device != "gpu" or spec.is_joined:
        return spec
    share = max(1, min(len(os.sched_getaffinity(0)) // 4, _MOST_PROCESSES))
    return dataclasses.replace(
        spec,
        tokenizer_instances=spec.tokenizer_instances or share,
        postprocess_instances=spec.postprocess_instances or share,
    )


def _write_and_check(
    inputs: BuildInputs, staged: StagedPipeline, step: StepReporter
) -> manifest.Manifest:
    spec = inputs.spec
    converted = convert_graph(inputs, step)
    folder = staged.version_folder(spec.stage("engine"))
    files, engine = _engine(inputs, converted, folder, step)
    sizes, exactness = _compare(inputs, engine, step)
    _prove(inputs, engine, exactness, folder)
    quality = check_quality(converted, engine, step)
    speed = _speed(inputs, engine, converted, step)
    plan = _plan(inputs, files[0], step)
    made = manifest.Manifest(
        name=spec.name,
        version=spec.version,
        task=spec.task,
        pair=spec.pair,
        max_length=spec.max_length,
        max_batch_size=spec.batching.max_batch_size,
        ernie_triton=ernie_triton.__version__,
        built_at=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        source=source_facts(inputs.source),
        model=model_facts(inputs.source, inputs.vocabulary, sizes.labels),
        engine=engine_facts(spec, converted.graph, files, in_fp32=inputs.graph),
        exactness=exactness,
        speed=speed,
        quality=quality,
        quantization=converted.quantization,
        plan=plan,
        folder=inputs.folder,
        choice=inputs.choice,
        joined=spec.is_joined,
    )
    with step("write"):
        return write_models(inputs, sizes, made, staged)


def _engine(
    inputs: BuildInputs, converted: Converted, folder: Path, step: StepReporter
) -> tuple[list[Path], Engine]:
    """Write the engine's files, and load the engine from them."""
    spec = inputs.spec
    with step("engine") as notes:
        halve_weights = spec.precision == "bf16"
        files = write_engine(converted.graph, spec.engine, folder, halve_weights=halve_weights)
        engine = load_engine(folder, inputs.checking_settings(spec.precision))
        notes.append(f"{spec.engine} {spec.precision}")
        if spec.precision == "bf16" and not has_bfloat16(instruction_sets()):
            notes.append("no BF16 instructions here: slower than FP32")
    return files, engine


def _compare(
    inputs: BuildInputs, engine: Engine, step: StepReporter
) -> tuple[ModelSizes, Exactness]:
    spec = inputs.spec
    with step("compare") as notes:
        reference = inputs.source_outputs.reference
        sizes = inputs.sizes()  # first: wrong labels are a clearer error than wrong scores
        most = spec.batching.max_batch_size
        exactness = compare(engine, reference, inputs.batch, most, tolerance=spec.tolerance)
        notes.append(
            f"largest difference {exactness.largest_difference:.1e} on {inputs.batch.rows} texts"
        )
    return sizes, exactness


def _prove(inputs: BuildInputs, engine: Engine, exactness: Exactness, folder: Path) -> None:
    """Keep the answers that other processors must give too.

    Our own FP32 graphs need none: every processor computes them in FP32.
    """
    spec = inputs.spec
    if spec.device == "gpu" or (spec.precision == "fp32" and inputs.model is not None):
        return
    reference, most = inputs.source_outputs.reference, spec.batching.max_batch_size
    prove_engine(engine, reference, inputs.batch, exactness, most).write(folder)


def _speed(
    inputs: BuildInputs, engine: Engine, converted: Converted, step: StepReporter
) -> Speed | None:
    if inputs.spec.device == "gpu":
        return None
    with step("speed") as notes:
        fp32 = converted.fp32 if inputs.spec.precision != "fp32" else None
        if inputs.spec.precision == "bf16" and fp32 is None:
            fp32 = engine_of_graph(inputs, inputs.graph, "fp32")
        speed = measure_speed(engine, inputs.batch, inputs.spec.batching.max_batch_size, fp32)
        notes.append(f"{speed.texts_per_s:,.0f} texts/s")
    return speed


def _plan(inputs: BuildInputs, graph: Path, step: StepReporter) -> PlanFacts | None:
    if inputs.spec.engine != "tensorrt" or not inputs.spec.tensorrt.plan:
        return None
    from ernie_triton.build.tensorrt import build_plan

    tokens = round(float(inputs.batch.lengths.mean()))
    return build_plan(graph, inputs.spec, graph.parent, tokens=tokens, step=step)
