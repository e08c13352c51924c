"""The three stages as one model, in Triton."""

from ernie_triton.backends.triton_model import StageModel
from ernie_triton.stages.opening import JOINED_OF_TASK


class TritonPythonModel(StageModel):
    """Runs all stages of a task."""

    stage_type = JOINED_OF_TASK
    has_engine = True
