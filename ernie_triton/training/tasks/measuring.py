"""A model's metric, made by the stages that serve and the clients' own codecs and scorers.

The model stands where the engine will; everything else is what `--evaluate` and `build --data` run.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ernie_triton.build.check.evaluation import Evaluation, evaluation_of
from ernie_triton.build.check.local_answers import LocalAnswers, PipelineParts
from ernie_triton.client.client import Blocking, run_blocking
from ernie_triton.client.core import Caller, Codec, Policy
from ernie_triton.client.evaluation.answers import AnswerScorer
from ernie_triton.client.evaluation.classification import ClassificationScorer
from ernie_triton.client.evaluation.entities import EntityScorer
from ernie_triton.client.evaluation.multi_label import MultiLabelScorer
from ernie_triton.client.evaluation.numbers import RegressionScorer
from ernie_triton.client.multi_label import MultiLabelCodec
from ernie_triton.client.qa import QaCodec
from ernie_triton.client.regression import RegressionCodec
from ernie_triton.client.seq_cls import SeqClsCodec
from ernie_triton.client.token_cls import EntityCodec
from ernie_triton.client.wire import Endpoint
from ernie_triton.engines import Engine
from ernie_triton.errors import DatasetError
from ernie_triton.settings import EngineSettings
from ernie_triton.tasks import MULTI_LABEL, QA, REGRESSION, SEQ_CLS, TOKEN_CLS
from ernie_triton.training.datasets import DataSet, LabelledText, items_of

if TYPE_CHECKING:
    from torch import nn

INPUTS = ("input_ids", "token_type_ids", "attention_mask")
"""What a model is called with, by name."""

_TIMEOUT_S = 86400.0

_JUDGES: Mapping[str, Callable[[tuple[str, ...]], tuple[Codec[Any], Any]]] = {
    SEQ_CLS.name: lambda labels: (SeqClsCodec(), ClassificationScorer(labels)),
    MULTI_LABEL.name: lambda labels: (
        MultiLabelCodec(label_count=len(labels)),
        MultiLabelScorer(labels),
    ),
    REGRESSION.name: lambda _: (RegressionCodec(), RegressionScorer()),
    TOKEN_CLS.name: lambda _: (EntityCodec(), EntityScorer()),
    QA.name: lambda _: (QaCodec(), AnswerScorer()),
}
"""What reads the answers of each task, and what counts them."""


class TorchRuntime:
    """A module of PyTorch as the runtime of a padded engine, wherever its weights are."""

    input_types: Mapping[str, npt.DTypeLike] = dict.fromkeys(INPUTS, np.int64)
    token_step = row_step = 1

    def __init__(self, model: "nn.Module", outputs: Sequence[str]) -> None:
        """Keep the module and the names of its answer's attributes."""
        self._model = model
        self._outputs = outputs
        self._device = next(model.parameters()).device

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        """The module's answer to one padded batch."""
        import torch

        tensors = {name: torch.from_numpy(values) for name, values in inputs.items()}
        with torch.no_grad():
            found = self._model(**{name: t.to(self._device) for name, t in tensors.items()})
        return {name: getattr(found, name).float().cpu().numpy() for name in self._outputs}


def evaluate_model(
    model: "nn.Module", parts: PipelineParts, data: DataSet, examples: Sequence[LabelledText]
) -> Evaluation:
    """Answer every example and score the answers; the model is in evaluation mode meanwhile.

    Raises:
        DatasetError: there are no examples.
    """
    if not examples:
        raise DatasetError(f"{data.dev_path}: no examples to measure on; expected some")
    outputs = [tensor.name for tensor in parts.task.engine_outputs]
    engine = Engine(runtime=TorchRuntime(model, outputs), settings=_settings(parts))
    caller = Caller(
        Blocking(LocalAnswers(parts, engine)),
        Endpoint(url="this process", model=parts.spec.name),
        Policy(retries=0, timeout_s=_TIMEOUT_S),
    )
    codec, scorer = _JUDGES[data.task](parts.sizes.labels)
    was_training = model.training
    model.eval()
    try:
        for items in _chunks(items_of(data, examples), parts.spec.batching.max_batch_size):
            rows = [tuple(text.encode("utf-8") for text in item.texts) for item in items]
            results = run_blocking(caller.results(rows, codec))
            for item, result in zip(items, results, strict=True):
                scorer.add(item, result)
    finally:
        model.train(was_training)
    return evaluation_of(data.task, dict(scorer.as_json()), len(examples))


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


def _chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
