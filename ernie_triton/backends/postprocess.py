"""The third stage, in Triton."""

from ernie_triton.backends.triton_model import StageModel
from ernie_triton.stages.postprocess import PostprocessStage


class TritonPythonModel(StageModel):
    """Runs `PostprocessStage`."""

    stage_type = PostprocessStage
