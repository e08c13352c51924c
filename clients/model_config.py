"""A stage's configuration as it lies in a model repository, without a server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from ernie_triton.errors import RepositoryError

EMBEDDED_CONFIG = Path("configs") / "embedded.pbtxt"
"""What the embedded server prefers to `config.pbtxt` (its `--model-config-name`)."""


def stage_parameters(model: Path) -> Mapping[str, str]:
    """The string parameters of a model's configuration, of the one that the embedded server reads.

    Args:
        model: the model's folder in the repository.

    Raises:
        RepositoryError: there is no configuration, or it is none of Triton's.
    """
    embedded = model / EMBEDDED_CONFIG
    path = embedded if embedded.is_file() else model / "config.pbtxt"
    try:
        config = text_format.Parse(path.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
    except OSError as error:
        raise RepositoryError(
            f"{path} cannot be read ({error.strerror}); name a pipeline of a repository"
        ) from error
    except text_format.ParseError as error:
        reason = " ".join(str(error).split())
        raise RepositoryError(f"{path} is no configuration of Triton: {reason}") from error
    return {name: value.string_value for name, value in config.parameters.items()}
