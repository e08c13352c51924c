"""The first stage, in Triton."""

from ernie_triton.backends.triton_model import StageModel
from ernie_triton.stages.tokenizer import TokenizerStage


class TritonPythonModel(StageModel):
    """Runs `TokenizerStage`."""

    stage_type = TokenizerStage
