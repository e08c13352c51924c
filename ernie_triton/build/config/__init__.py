"""The configurations of every model of a pipeline, as protobuf messages printed to text.

One repository serves two modes. `config.pbtxt` is what a container's tritonserver reads, where
engines run in Triton's C++ backends; `configs/embedded.pbtxt`, which `--model-config-name=embedded`
picks, is written only for the models that the embedded server, with its Python backend alone,
configures otherwise.
"""

from ernie_triton.build.config.messages import WARM_UP_TEXTS, ModelSizes
from ernie_triton.build.config.pipeline import pipeline_configs
from ernie_triton.build.config.stages import (
    postprocess_settings,
    ranking_label,
    results,
    tokenizer_stage_settings,
)

__all__ = [
    "WARM_UP_TEXTS",
    "ModelSizes",
    "pipeline_configs",
    "postprocess_settings",
    "ranking_label",
    "results",
    "tokenizer_stage_settings",
]
