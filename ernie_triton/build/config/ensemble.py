"""The ensemble: which tensor of which stage goes where."""

from tritonclient.grpc import model_config_pb2 as pb

from ernie_triton.build.config.messages import ModelSizes, model_config, window_tensors
from ernie_triton.build.config.stages import results
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.tasks import task_named, token_tensors


def ensemble_config(spec: PipelineSpec, sizes: ModelSizes) -> pb.ModelConfig:
    """The ensemble, the same whatever runs its engine."""
    task = task_named(spec.task)
    tokens = token_tensors(pair=spec.pair)
    texts = task.text_inputs(pair=spec.pair)
    windows = window_tensors(task)
    config = model_config(spec, spec.name, texts, (*results(spec), *task.tokenizer_results), sizes)
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
