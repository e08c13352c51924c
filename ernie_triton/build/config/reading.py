"""A stage's configuration as it lies in a model repository, without a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from ernie_triton.errors import RepositoryError
from ernie_triton.settings import CONFIG_FILE, EMBEDDED_CONFIG_FILE, part_parameters
from ernie_triton.stage_names import stage_name


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingChange:
    """Changes to a model's configuration; None and no parameters leave it as it is.

    Attributes:
        max_batch_size: most rows of one run.
        max_queue_delay_us: how long the dynamic batcher waits, in microseconds; a model without
            one stays without.
        instances: copies of the model, of each of its instance groups.
        parameters: string parameters, which must be there.
    """

    max_batch_size: int | None = None
    max_queue_delay_us: int | None = None
    instances: int | None = None
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)


def embedded_config(model: Path) -> Path:
    """The file of a model's folder that the embedded server reads, relative to the folder."""
    has_own = (model / EMBEDDED_CONFIG_FILE).is_file()
    return Path(EMBEDDED_CONFIG_FILE if has_own else CONFIG_FILE)


def stage_parameters(model: Path) -> Mapping[str, str]:
    """The string parameters of a model's configuration, of the one that the embedded server reads.

    Args:
        model: the model's folder in the repository.

    Raises:
        RepositoryError: there is no configuration, or it is none of Triton's.
    """
    return {name: value.string_value for name, value in served_config(model).parameters.items()}


def served_config(model: Path) -> Any:  # noqa: ANN401
    """The configuration of a model's folder that the embedded server reads, as a message.

    Raises:
        RepositoryError: there is no configuration, or it is none of Triton's.
    """
    return _read(model / embedded_config(model))


def pipeline_stage(repository: Path, pipeline: str, part: str) -> tuple[Path, Mapping[str, str]]:
    """A stage's folder in a repository, and its string parameters.

    Args:
        repository: the model repository.
        pipeline: a pipeline in it, an ensemble or joined stages.
        part: `tokenizer`, `engine` or `postprocess`.

    Raises:
        RepositoryError: there is no such configuration, or it is none of Triton's.
    """
    model = repository / stage_name(pipeline, part)
    if model.is_dir():
        return model, stage_parameters(model)
    joined = repository / pipeline
    return joined, part_parameters(stage_parameters(joined), part)


def changed_config(path: Path, change: ServingChange) -> str:
    """The text of a configuration file with some values changed.

    Raises:
        RepositoryError: there is no such file, it is none of Triton's, or it lacks a parameter.
    """
    config = _read(path)
    if change.max_batch_size is not None:
        config.max_batch_size = change.max_batch_size
    if change.max_queue_delay_us is not None and config.HasField("dynamic_batching"):
        config.dynamic_batching.max_queue_delay_microseconds = change.max_queue_delay_us
    if change.instances is not None:
        for group in config.instance_group:
            group.count = change.instances
    for name, value in change.parameters.items():
        # A protobuf map makes what is asked for.
        if name not in config.parameters:
            raise RepositoryError(
                f"{path} has no parameter {name!r}; rebuild the pipeline with this version of "
                f"ernie-triton"
            )
        config.parameters[name].string_value = value
    return str(text_format.MessageToString(config))


def _read(path: Path) -> Any:  # noqa: ANN401
    """A protobuf message of Triton's `ModelConfig`."""
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
    except OSError as error:
        raise RepositoryError(
            f"{path} cannot be read ({error.strerror}); name a pipeline of a repository"
        ) from error
    except text_format.ParseError as error:
        reason = " ".join(str(error).split())
        raise RepositoryError(f"{path} is no configuration of Triton: {reason}") from error
