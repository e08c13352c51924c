"""The engine stage: our Python backend, or Triton's own C++ backends on a graph of ours.

The settings of the C++ backends were read from their source (triton-inference-server's backend,
onnxruntime_backend and tensorrt_backend at release 24.10):

- A ragged input is concatenated to rank 1, so `dims` are [-1] and the graph's own input has that
  one dimension; both backends refuse to load anything else.
- `BATCH_ITEM_SHAPE_FLATTEN` of `input_ids` is the length of every row, int32 [items]: rows of one
  request all get its longest, as they come padded to that. INT32 and FP32 are all it can be.
- `BATCH_MAX_ELEMENT_COUNT_AS_SHAPE` of `input_ids` has the shape [rows * length] of the largest
  request, and any values. No row is longer; the graph cuts it to the pipeline's length. So requests
  of one row are attended at the longest, larger ones at up to the pipeline's length. The kinds
  that count values would have to come back from the GPU as a shape.
- `BATCH_SCATTER_WITH_INPUT_SHAPE` puts the request's own [rows, length] in for each -1 of an
  output's [-1, *dims]; without it the tokens of other requests would be returned.

Without ragged inputs Triton's batcher gathers equal shapes only, and stalls where they change: in
tritonserver 2.51 it then starts about four runs a second, whatever its delay, where a model without
dynamic batching does hundreds. So padded engines are fed one shape, the longest, on GPUs, which
need batches to be fast; on CPUs, where that would be work for nothing, each request runs alone.
"""

from collections.abc import Sequence
from pathlib import Path

from tritonclient.grpc import model_config_pb2 as pb

from ernie_triton.batch import LENGTH_BUCKET
from ernie_triton.build.config.messages import (
    WARM_UP_TEXTS,
    ModelSizes,
    add_warm_up,
    allow_ragged,
    batch_dynamically,
    model_config,
    python_stage,
)
from ernie_triton.engines import ENGINE_FILES
from ernie_triton.errors import PipelineError
from ernie_triton.gpu.images import GPUS
from ernie_triton.gpu.plans import plan_path
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.settings import EngineSettings
from ernie_triton.tasks import INPUT_IDS, LENGTHS, WIDTH, task_named, token_tensors

_KINDS = {"cpu": pb.ModelInstanceGroup.KIND_CPU, "gpu": pb.ModelInstanceGroup.KIND_GPU}


def is_native(spec: PipelineSpec, sizes: ModelSizes) -> bool:
    """True where containers run the engine in a C++ backend.

    Raises:
        PipelineError: they would have to, and the graph is not ours.
    """
    if spec.engine == "openvino":
        return False
    if not sizes.is_canonical and spec.device == "gpu":
        raise PipelineError(
            f"{spec.checkpoint} is served as it came, by our Python backend on a CPU alone; "
            f"found the engine {spec.engine} on gpu; build with --engine onnxruntime --device cpu"
        )
    return sizes.is_canonical


def length_bucket(spec: PipelineSpec, sizes: ModelSizes) -> int:
    """The multiple to which the tokenizer stage rounds lengths up for this engine."""
    if spec.layout == "packed" or not is_native(spec, sizes):
        return 1
    return spec.max_length if spec.device == "gpu" else min(LENGTH_BUCKET, spec.max_length)


def python_engine(
    spec: PipelineSpec, sizes: ModelSizes, warm_up_lengths: Sequence[int]
) -> pb.ModelConfig:
    """The engine in our Python backend.

    A pipeline of a GPU runs there where a runtime for it is installed, otherwise on the CPU.
    """
    inputs = token_tensors(pair=spec.pair)
    task = task_named(spec.task)
    settings = EngineSettings(
        task=task.name,
        pair=spec.pair,
        engine=spec.engine,
        precision=spec.precision,
        layout=spec.layout,
        threads=spec.threads,
        max_length=spec.max_length,
        pad_token_id=sizes.pad_token_id,
        vocabulary_size=sizes.vocabulary_size,
        token_types=sizes.token_types,
        tells_taken=bool(spec.batching.max_queue_size) and not spec.is_joined,
        device=spec.device,
    )
    config = python_stage(spec, "engine", inputs, task.engine_outputs, sizes, settings)
    config.instance_group[0].count = spec.instances
    config.max_batch_size = spec.max_stage_rows
    allow_ragged(config)
    for sample, length in zip(WARM_UP_TEXTS, warm_up_lengths, strict=True):
        add_warm_up(config, sample, inputs, {-1: length})
    return config


def native_engine(
    spec: PipelineSpec, sizes: ModelSizes, warm_up_lengths: Sequence[int]
) -> pb.ModelConfig:
    """The engine in Triton's ONNX Runtime or TensorRT backend."""
    task = task_named(spec.task)
    inputs = token_tensors(pair=spec.pair)
    config = model_config(spec, spec.stage("engine"), inputs, task.engine_outputs, sizes)
    config.backend = spec.engine
    config.max_batch_size = spec.max_stage_rows
    config.instance_group.add(count=spec.instances, kind=_KINDS[spec.device])
    if spec.layout == "packed":
        _pack(config)
    if spec.layout == "packed" or spec.device == "gpu":
        batch_dynamically(config, spec)
    if spec.engine == "tensorrt":
        _name_plans(config, spec)
    else:
        _set_session(config, spec)
    for sample, length in zip(WARM_UP_TEXTS, warm_up_lengths, strict=True):
        add_warm_up(config, sample, inputs, {-1: length})
    return config


def _pack(config: pb.ModelConfig) -> None:
    allow_ragged(config)
    for name, kind in (
        (LENGTHS, pb.BatchInput.BATCH_ITEM_SHAPE_FLATTEN),
        (WIDTH, pb.BatchInput.BATCH_MAX_ELEMENT_COUNT_AS_SHAPE),
    ):
        config.batch_input.add(
            kind=kind,
            data_type=pb.TYPE_INT32,
            target_name=[name],
            source_input=[INPUT_IDS.name],
        )
    for output in config.output:
        if -1 in output.dims:
            config.batch_output.add(
                kind=pb.BatchOutput.BATCH_SCATTER_WITH_INPUT_SHAPE,
                target_name=[output.name],
                source_input=[INPUT_IDS.name],
            )


def _set_session(config: pb.ModelConfig, spec: PipelineSpec) -> None:
    config.default_model_filename = ENGINE_FILES["onnxruntime"]
    parameters = {}
    if spec.threads:  # ONNX Runtime's own default is every core
        parameters["intra_op_thread_count"] = str(spec.threads)
    if spec.device == "cpu":
        # Lengths change with every batch: the arena would keep a block for each.
        parameters["enable_mem_arena"] = "0"
    for name, value in parameters.items():
        config.parameters[name].string_value = value


def _name_plans(config: pb.ModelConfig, spec: PipelineSpec) -> None:
    for gpu in GPUS:
        if gpu.has_int8 or spec.precision != "int8":
            name = plan_path(Path(), gpu.compute_capability).name
            config.cc_model_filenames[gpu.compute_capability] = name
