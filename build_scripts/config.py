"""The `config.pbtxt` of every model of a pipeline, as protobuf messages printed to text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from ernie_triton.decoders.entities import EntitySettings
from ernie_triton.decoders.labels import LabelSettings
from ernie_triton.decoders.spans import AnswerSettings
from ernie_triton.decoders.vectors import VectorSettings
from ernie_triton.errors import PipelineError
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.stage_settings import EngineSettings, StageSettings, TokenizerSettings
from ernie_triton.tasks import (
    LENGTHS,
    MULTI_LABEL,
    TOKEN_TENSORS,
    WINDOW_TENSORS,
    Task,
    TensorSpec,
    task_named,
)

DEFAULT_THRESHOLD = 0.5
"""From which probability a label of a multi-label model is selected."""

WARM_UP_TEXTS = ("short", "long")
"""Names of the warm-up samples; each stage's `warmup/` folder holds a file per sample and input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSizes:
    """What the configurations need to know of the model."""

    labels: tuple[str, ...]
    hidden: int
    lower_case: bool
    pad_token_id: int
    vocabulary_size: int
    token_types: int

    @property
    def by_name(self) -> dict[str, int]:
        """The sizes that tensors' dims name."""
        return {"labels": len(self.labels), "hidden": self.hidden}


def pipeline_configs(
    spec: PipelineSpec, sizes: ModelSizes, warm_up_lengths: Sequence[int]
) -> dict[str, str]:
    """The text of each model's `config.pbtxt`, by model name, the ensemble first.

    Args:
        spec: the pipeline.
        sizes: of the model it serves.
        warm_up_lengths: tokens of each of the `WARM_UP_TEXTS`.
    """
    task = task_named(spec.task)
    configs = {
        spec.name: _ensemble(spec, task, sizes),
        spec.stage("tokenizer"): _tokenizer(spec, task, sizes),
        spec.stage("engine"): _engine(spec, task, sizes, warm_up_lengths),
        spec.stage("postprocess"): _postprocess(spec, task, sizes),
    }
    return {name: text_format.MessageToString(config) for name, config in configs.items()}


def results(spec: PipelineSpec) -> tuple[TensorSpec, ...]:
    """What the postprocess stage of a pipeline returns."""
    task = task_named(spec.task)
    return (*task.results, *(task.optional_results if spec.answering.per_token else ()))


def _window_tensors(task: Task) -> tuple[TensorSpec, ...]:
    return WINDOW_TENSORS if task.has_windows else ()


def _ensemble(spec: PipelineSpec, task: Task, sizes: ModelSizes) -> pb.ModelConfig:
    texts = task.text_inputs(pair=spec.pair)
    tokens = (*TOKEN_TENSORS, LENGTHS)
    windows = _window_tensors(task)
    config = _config(spec, spec.name, texts, (*results(spec), *task.tokenizer_results), sizes)
    config.platform = "ensemble"
    steps = (
        ("tokenizer", texts, (*tokens, *windows, *task.tokenizer_results)),
        ("engine", tokens, task.engine_outputs),
        ("postprocess", (*task.engine_outputs, *windows), results(spec)),
    )
    for part, inputs, outputs in steps:
        config.ensemble_scheduling.step.append(
            pb.ModelEnsembling.Step(
                model_name=spec.stage(part),
                model_version=-1,
                input_map={tensor.name: tensor.name for tensor in inputs},
                output_map={tensor.name: tensor.name for tensor in outputs},
            )
        )
    return config


def _tokenizer(spec: PipelineSpec, task: Task, sizes: ModelSizes) -> pb.ModelConfig:
    texts = task.text_inputs(pair=spec.pair)
    outputs = (*TOKEN_TENSORS, LENGTHS, *_window_tensors(task), *task.tokenizer_results)
    settings = TokenizerSettings(
        task=task.name,
        pair=spec.pair,
        max_length=spec.max_length,
        lower_case=sizes.lower_case,
        overlap=spec.overlap,
        max_windows=spec.answering.max_windows,
    )
    config = _stage(spec, "tokenizer", texts, outputs, sizes, settings)
    for sample in WARM_UP_TEXTS:
        _warm_up(config, sample, texts, {})
    return config


def _engine(
    spec: PipelineSpec, task: Task, sizes: ModelSizes, warm_up_lengths: Sequence[int]
) -> pb.ModelConfig:
    inputs = (*TOKEN_TENSORS, LENGTHS)
    settings = EngineSettings(
        task=task.name,
        engine=spec.engine,
        precision=spec.precision,
        layout=spec.layout,
        threads=spec.threads,
        max_length=spec.max_length,
        pad_token_id=sizes.pad_token_id,
        vocabulary_size=sizes.vocabulary_size,
        token_types=sizes.token_types,
    )
    config = _stage(spec, "engine", inputs, task.engine_outputs, sizes, settings)
    config.max_batch_size = spec.max_stage_rows
    _allow_ragged(config)
    for sample, length in zip(WARM_UP_TEXTS, warm_up_lengths, strict=True):
        _warm_up(config, sample, inputs, {-1: length})
    return config


def _postprocess(spec: PipelineSpec, task: Task, sizes: ModelSizes) -> pb.ModelConfig:
    settings = _postprocess_settings(spec, task, sizes)
    inputs = (*task.engine_outputs, *_window_tensors(task))
    config = _stage(spec, "postprocess", inputs, results(spec), sizes, settings)
    config.max_batch_size = spec.max_stage_rows
    _allow_ragged(config)
    return config


def _postprocess_settings(spec: PipelineSpec, task: Task, sizes: ModelSizes) -> StageSettings:
    answering = spec.answering
    if task.head == "token":
        return EntitySettings(
            task=task.name, labels=len(sizes.labels), per_token=answering.per_token
        )
    if task.head == "span":
        return AnswerSettings(
            task=task.name,
            max_answer_tokens=answering.max_answer_tokens,
            n_best=answering.n_best,
            no_answer_threshold=answering.no_answer_threshold,
        )
    if task.head == "vector":
        return VectorSettings(task=task.name, normalize=answering.normalize)
    return LabelSettings(
        task=task.name,
        labels=len(sizes.labels),
        thresholds=_thresholds(answering.thresholds, sizes.labels) if task == MULTI_LABEL else (),
    )


def _thresholds(given: Mapping[str, float], labels: Sequence[str]) -> tuple[float, ...]:
    """The threshold of each label.

    Raises:
        PipelineError: a label that the model does not have is given one.
    """
    unknown = set(given) - {*labels, "default"}
    if unknown:
        raise PipelineError(
            f"thresholds name {', '.join(sorted(unknown))}, which the model does not have; its "
            f"labels are {', '.join(labels)}"
        )
    default = given.get("default", DEFAULT_THRESHOLD)
    return tuple(given.get(label, default) for label in labels)


def _allow_ragged(config: pb.ModelConfig) -> None:
    """Let requests of different lengths share a run: each row says its own length."""
    for tensor in config.input:
        tensor.allow_ragged_batch = -1 in tensor.dims


def _stage(
    spec: PipelineSpec,
    part: str,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    sizes: ModelSizes,
    settings: StageSettings,
) -> pb.ModelConfig:
    """A model of Triton's Python backend with dynamic batching and a bounded queue."""
    config = _config(spec, spec.stage(part), inputs, outputs, sizes)
    config.backend = "python"
    # One instance: the default of two would have their thread pools fight over the same cores.
    config.instance_group.add(count=1, kind=pb.ModelInstanceGroup.KIND_CPU)
    batching = config.dynamic_batching
    batching.max_queue_delay_microseconds = spec.batching.max_queue_delay_us
    batching.default_queue_policy.max_queue_size = spec.batching.max_queue_size
    for name, value in settings.to_parameters().items():
        config.parameters[name].string_value = value
    return config


def _config(
    spec: PipelineSpec,
    name: str,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    sizes: ModelSizes,
) -> pb.ModelConfig:
    named = sizes.by_name
    config = pb.ModelConfig(name=name, max_batch_size=spec.batching.max_batch_size)
    config.version_policy.latest.num_versions = 1
    for tensor in inputs:
        config.input.add(name=tensor.name, data_type=_type(tensor), dims=tensor.resolved(named))
    for tensor in outputs:
        added = config.output.add(
            name=tensor.name, data_type=_type(tensor), dims=tensor.resolved(named)
        )
        if tensor.has_label_names:
            added.label_filename = "labels.txt"
    return config


def _warm_up(
    config: pb.ModelConfig, sample: str, inputs: Sequence[TensorSpec], sizes: Mapping[int, int]
) -> None:
    warm_up = config.model_warmup.add(name=sample, batch_size=1)
    for tensor in inputs:
        warm_up.inputs[tensor.name].data_type = _type(tensor)
        warm_up.inputs[tensor.name].dims.extend(sizes.get(dim, dim) for dim in tensor.resolved({}))
        warm_up.inputs[tensor.name].input_data_file = f"{sample}_{tensor.name}"


def _type(tensor: TensorSpec) -> "pb.DataType":
    return pb.DataType.Value(f"TYPE_{tensor.dtype}")
