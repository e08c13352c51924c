"""Measure a model's metric with the stages that serve it and the clients' codecs and scorers.

The model takes the engine's place; everything else is the code of `--evaluate` and `build --data`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ernie_triton.batch import ANY_ROWS
from ernie_triton.build.check.local_answers import PipelineParts, local_evaluator
from ernie_triton.client.evaluation.evaluating import Evaluation
from ernie_triton.engines import Engine
from ernie_triton.errors import DatasetError
from ernie_triton.settings import EngineSettings
from ernie_triton.training.datasets import DataSet, LabelledText, items_of

if TYPE_CHECKING:
    from torch import nn

INPUTS = ("input_ids", "token_type_ids", "attention_mask")
"""Names of a model's inputs."""


class TorchRuntime:
    """Run a PyTorch module as the runtime of a padded engine, on the module's own device."""

    input_types: Mapping[str, npt.DTypeLike] = dict.fromkeys(INPUTS, np.int64)
    token_step = row_step = 1
    most_cells = 2048
    most_rows = ANY_ROWS

    def __init__(
        self,
        model: "nn.Module",
        outputs: Sequence[str],
        answer: Callable[..., object] | None = None,
    ) -> None:
        """Keep the module, the names of its outputs, and what to call instead of the module."""
        self._answer = answer or model
        self._outputs = outputs
        self._device = next(model.parameters()).device

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the module's outputs for one padded batch, float32."""
        import torch

        tensors = {name: torch.from_numpy(values) for name, values in inputs.items()}
        with torch.no_grad():
            found = self._answer(**{name: t.to(self._device) for name, t in tensors.items()})
        return {name: getattr(found, name).float().cpu().numpy() for name in self._outputs}


def evaluate_model(
    model: "nn.Module",
    parts: PipelineParts,
    data: DataSet,
    examples: Sequence[LabelledText],
    *,
    answer: Callable[..., object] | None = None,
) -> Evaluation:
    """Answer every example and score the answers; the model is in evaluation mode meanwhile.

    Args:
        model: to evaluate.
        parts: the stages around it.
        data: the data set.
        examples: some of its examples.
        answer: takes `INPUTS` and returns the engine's outputs; the model itself unless given.

    Raises:
        DatasetError: there are no examples.
    """
    if not examples:
        raise DatasetError(f"{data.dev_path}: no examples to measure on; expected some")
    outputs = [tensor.name for tensor in parts.task.engine_outputs]
    engine = Engine(runtime=TorchRuntime(model, outputs, answer), settings=_settings(parts))
    evaluator = local_evaluator(parts, engine)
    was_training = model.training
    model.eval()
    try:
        return evaluator.evaluate_items(items_of(data, examples), str(data.dev_path))
    finally:
        model.train(was_training)


def _settings(parts: PipelineParts) -> EngineSettings:
    """Settings of a padded engine; `TorchRuntime` needs no runtime, precision or threads."""
    return EngineSettings(
        task=parts.task.name,
        pair=parts.spec.pair,
        engine="onnxruntime",
        precision="fp32",
        layout="padded",
        threads=0,
        max_length=parts.spec.max_length,
        pad_token_id=parts.encoder.pad_token_id,
        vocabulary_size=parts.sizes.vocabulary_size,
        token_types=parts.sizes.token_types,
    )
