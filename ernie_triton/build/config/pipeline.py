"""All configuration files of a pipeline, for containers and for the embedded server."""

import json
from collections.abc import Mapping, Sequence

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from ernie_triton.build.config.engines import is_native, length_bucket, native_engine, python_engine
from ernie_triton.build.config.messages import ModelSizes, model_config
from ernie_triton.build.config.stages import postprocess_config, results, tokenizer_config
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.settings import CONFIG_FILE, EMBEDDED_CONFIG_FILE, PROMPTS
from ernie_triton.tasks import TOKEN_COUNT, TOKENIZATION, task_named, token_tensors


def pipeline_configs(
    spec: PipelineSpec, sizes: ModelSizes, warm_up_lengths: Sequence[int]
) -> dict[str, dict[str, str]]:
    """The text of each configuration file by its path in the model's folder, by model name.

    The ensemble comes first, then the stages in their order; joined stages are one model.

    Args:
        spec: the pipeline.
        sizes: of the model it serves.
        warm_up_lengths: tokens of each of the `WARM_UP_TEXTS`.

    Raises:
        PipelineError: what the pipeline asks for does not fit the model.
    """
    has_native = is_native(spec, sizes) and not spec.is_joined
    bucket = 1 if spec.is_joined else length_bucket(spec, sizes)
    parts = {
        "tokenizer": tokenizer_config(spec, sizes, length_bucket=bucket),
        "engine": python_engine(spec, sizes, warm_up_lengths),
        "postprocess": postprocess_config(spec, sizes, length_bucket=bucket),
    }
    if spec.is_joined:
        return {spec.name: _files((joined_config(spec, sizes, parts),))}
    configs: dict[str, Sequence[pb.ModelConfig]] = {spec.name: (ensemble_config(spec, sizes),)}
    configs |= {spec.stage(part): (config,) for part, config in parts.items()}
    if has_native:
        native = native_engine(spec, sizes, warm_up_lengths)
        configs[spec.stage("engine")] = (native, parts["engine"])
    return {model: _files(messages) for model, messages in configs.items()}


def _files(messages: Sequence[pb.ModelConfig]) -> dict[str, str]:
    """The container's configuration, and the embedded server's where it is another."""
    names = (CONFIG_FILE, EMBEDDED_CONFIG_FILE)
    return {
        name: text_format.MessageToString(message)
        for name, message in zip(names, messages, strict=False)
    }


def ensemble_config(spec: PipelineSpec, sizes: ModelSizes) -> pb.ModelConfig:
    """The ensemble, the same whatever runs its engine."""
    task = task_named(spec.task)
    tokens = token_tensors(pair=spec.pair)
    texts = task.text_inputs(pair=spec.pair)
    row_tensors = task.row_tensors
    config = model_config(spec, spec.name, texts, (*results(spec), *task.tokenizer_results), sizes)
    config.platform = "ensemble"
    _state_prompts(config, spec, sizes)
    steps = (
        ("tokenizer", texts, (*tokens, *row_tensors, *task.tokenizer_results)),
        ("engine", tokens, task.engine_outputs),
        ("postprocess", (*task.engine_outputs, *row_tensors), results(spec)),
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


def joined_config(
    spec: PipelineSpec, sizes: ModelSizes, parts: Mapping[str, pb.ModelConfig]
) -> pb.ModelConfig:
    """One model with the ensemble's tensors, the tokenizer's own two and all stages' settings.

    Args:
        spec: the pipeline.
        sizes: of its model.
        parts: the configurations that the stages would have by themselves; each one's parameters
            get its name before theirs, as in `engine.threads`.
    """
    task = task_named(spec.task)
    outputs = (*results(spec), *task.tokenizer_results, TOKENIZATION, TOKEN_COUNT)
    config = model_config(spec, spec.name, task.text_inputs(pair=spec.pair), outputs, sizes)
    config.backend = "python"
    _state_prompts(config, spec, sizes)
    config.instance_group.extend(parts["engine"].instance_group)
    config.dynamic_batching.CopyFrom(parts["tokenizer"].dynamic_batching)
    config.model_warmup.extend(parts["tokenizer"].model_warmup)
    for part, stage in parts.items():
        for name, value in stage.parameters.items():
            config.parameters[f"{part}.{name}"].string_value = value.string_value
    return config


def _state_prompts(config: pb.ModelConfig, spec: PipelineSpec, sizes: ModelSizes) -> None:
    """Tell clients the prompts by name, unless the pipeline itself puts one before every text."""
    if task_named(spec.task).is_retrieval and sizes.prompts and not spec.answering.prompt:
        config.parameters[PROMPTS].string_value = json.dumps(dict(sizes.prompts))
