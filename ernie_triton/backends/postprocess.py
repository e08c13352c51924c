"""The third stage, in Triton."""

from collections.abc import Mapping

from ernie_triton.backends.engine_requests import EngineRequests
from ernie_triton.backends.triton_model import StageModel
from ernie_triton.stage_names import ENGINE, pipeline_and_part, stage_name
from ernie_triton.stages.extraction import ExtractionStage
from ernie_triton.stages.opening import POSTPROCESS_OF_TASK
from ernie_triton.tasks import EXTRACTION


class TritonPythonModel(StageModel):
    """Runs a task's last stage, and lets it ask the engine again where the task needs that."""

    stage_type = POSTPROCESS_OF_TASK

    def initialize(self, args: Mapping[str, str]) -> None:
        """Called once by Triton when the model is loaded."""
        super().initialize(args)
        if isinstance(self._stage, ExtractionStage):
            pipeline, _ = pipeline_and_part(args["model_name"])
            self._stage.ask = EngineRequests(stage_name(pipeline, ENGINE), EXTRACTION)
