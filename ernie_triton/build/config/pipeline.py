"""All configuration files of a pipeline, for containers and for the embedded server."""

from collections.abc import Sequence

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from ernie_triton.build.config.engines import is_native, length_bucket, native_engine, python_engine
from ernie_triton.build.config.ensemble import ensemble_config
from ernie_triton.build.config.joined import joined_config
from ernie_triton.build.config.messages import ModelSizes
from ernie_triton.build.config.stages import postprocess_config, tokenizer_config
from ernie_triton.build.publish.repository import StagedPipeline
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.settings import CONFIG_FILE, EMBEDDED_CONFIG_FILE


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
    bucket = 1 if spec.joined else length_bucket(spec, sizes)
    parts = {
        "tokenizer": tokenizer_config(spec, sizes, length_bucket=bucket),
        "engine": python_engine(spec, sizes, warm_up_lengths),
        "postprocess": postprocess_config(spec, sizes),
    }
    if spec.joined:
        return {spec.name: _files((joined_config(spec, sizes, parts),))}
    configs: dict[str, Sequence[pb.ModelConfig]] = {spec.name: (ensemble_config(spec, sizes),)}
    configs |= {spec.stage(part): (config,) for part, config in parts.items()}
    if is_native(spec, sizes):
        native = native_engine(spec, sizes, warm_up_lengths)
        configs[spec.stage("engine")] = (native, parts["engine"])
    return {model: _files(messages) for model, messages in configs.items()}


def write_configs(
    staged: StagedPipeline,
    spec: PipelineSpec,
    sizes: ModelSizes,
    warm_up_lengths: Sequence[int],
) -> None:
    """Write what `pipeline_configs` says into the staged repository.

    Raises:
        PipelineError: as there.
    """
    for model, files in pipeline_configs(spec, sizes, warm_up_lengths).items():
        for name, text in files.items():
            path = staged.model_folder(model) / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _files(messages: Sequence[pb.ModelConfig]) -> dict[str, str]:
    """The container's configuration, and the embedded server's where it is another."""
    names = (CONFIG_FILE, EMBEDDED_CONFIG_FILE)
    return {
        name: text_format.MessageToString(message)
        for name, message in zip(names, messages, strict=False)
    }
