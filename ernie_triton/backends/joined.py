"""The three stages as one model, in Triton."""

from ernie_triton.backends.triton_model import StageModel
from ernie_triton.stages.joined import JoinedStages


class TritonPythonModel(StageModel):
    """Runs `JoinedStages`."""

    stage_type = JoinedStages
    has_engine = True
