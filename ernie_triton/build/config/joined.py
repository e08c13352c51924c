"""The three stages as one model of the Python backend."""

from collections.abc import Mapping

from tritonclient.grpc import model_config_pb2 as pb

from ernie_triton.build.config.messages import ModelSizes, model_config
from ernie_triton.build.config.stages import results
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.tasks import task_named


def joined_config(
    spec: PipelineSpec, sizes: ModelSizes, parts: Mapping[str, pb.ModelConfig]
) -> pb.ModelConfig:
    """One model with the ensemble's tensors and everything that its stages are told.

    Args:
        spec: the pipeline.
        sizes: of its model.
        parts: the configurations that the stages would have by themselves; each one's parameters
            get its name before theirs, as in `engine.threads`.
    """
    task = task_named(spec.task)
    outputs = (*results(spec), *task.tokenizer_results)
    config = model_config(spec, spec.name, task.text_inputs(pair=spec.pair), outputs, sizes)
    config.backend = "python"
    config.instance_group.extend(parts["engine"].instance_group)
    config.dynamic_batching.CopyFrom(parts["tokenizer"].dynamic_batching)
    config.model_warmup.extend(parts["tokenizer"].model_warmup)
    for part, stage in parts.items():
        for name, value in stage.parameters.items():
            config.parameters[f"{part}.{name}"].string_value = value.string_value
    return config
