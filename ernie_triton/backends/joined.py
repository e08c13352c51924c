"""The three stages as one model, in Triton."""

from collections.abc import Mapping

from ernie_triton.backends.part_metrics import PartMetrics
from ernie_triton.backends.triton_model import StageModel
from ernie_triton.stages.opening import JOINED_OF_TASK


class TritonPythonModel(StageModel):
    """Runs all stages of a task, and tells the server what each has done."""

    stage_type = JOINED_OF_TASK
    has_engine = True
    _metrics: PartMetrics | None = None

    def initialize(self, args: Mapping[str, str]) -> None:
        """Called once by Triton when the model is loaded."""
        super().initialize(args)
        if self._stage.part_counts is not None:
            self._metrics = PartMetrics(self._model, self._stage.part_counts)

    def finalize(self) -> None:
        """Called once by Triton before the model is unloaded."""
        super().finalize()
        if self._metrics is not None:
            self._metrics.close()
