"""The stages of a task, from the parameters of their configurations and a version's folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ernie_triton.stages.extraction import ExtractionStage, JoinedExtraction, PromptStage
from ernie_triton.stages.joined import JoinedStages
from ernie_triton.stages.postprocess import PostprocessStage
from ernie_triton.stages.stage import Stage
from ernie_triton.stages.tokenizer import TokenizerStage
from ernie_triton.tasks import task_named


class StageOpener(Protocol):
    """Anything that opens a stage: a class of stages, or a choice of classes by task."""

    def open(self, parameters: Mapping[str, str], folder: Path) -> Stage[Any]:
        """Open the stage; errors as for `Stage.open`."""


@dataclass(frozen=True, slots=True)
class StageOfTask:
    """The class of a stage by its task, which the parameter `prefix` + `task` names."""

    usual: type[Stage[Any]]
    asking_again: type[Stage[Any]]
    prefix: str = ""

    def open(self, parameters: Mapping[str, str], folder: Path) -> Stage[Any]:
        """Open the stage; errors as for `Stage.open`."""
        task = task_named(parameters.get(f"{self.prefix}task", ""))
        stage = self.asking_again if task.asks_again else self.usual
        return stage.open(parameters, folder)


TOKENIZER_OF_TASK = StageOfTask(TokenizerStage, PromptStage)
POSTPROCESS_OF_TASK = StageOfTask(PostprocessStage, ExtractionStage)
JOINED_OF_TASK = StageOfTask(JoinedStages, JoinedExtraction, "tokenizer.")
