"""The second stage on CPU, in Triton."""

from ernie_triton.backends.triton_model import StageModel
from ernie_triton.stages.engine import EngineStage


class TritonPythonModel(StageModel):
    """Runs `EngineStage`."""

    stage_type = EngineStage
    has_engine = True
