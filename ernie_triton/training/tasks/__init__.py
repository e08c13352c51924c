"""Each task's part in training: its rows of tokens, its loss and its metric.

The tokenizer and the windows that serve make the rows, so a model trains on the ids that it gets
later. The stages that serve and the clients' scorers make the metric, so it is the figure that
`--evaluate` prints. A new task is a subclass of `TrainingTask` and an entry in `_TASKS`.
"""

from collections.abc import Mapping

from ernie_triton.tasks import (
    CHOICE,
    CLOZE,
    EMBEDDING,
    EXTRACTION,
    MULTI_LABEL,
    QA,
    REGRESSION,
    SEQ_CLS,
    TOKEN_CLS,
)
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.training.datasets import DataSet
from ernie_triton.training.tasks.base import Batch, Features, TrainingTask
from ernie_triton.training.tasks.choice import ChoiceTraining
from ernie_triton.training.tasks.embedding import EmbeddingTraining
from ernie_triton.training.tasks.masked import ClozeTraining
from ernie_triton.training.tasks.prompted import ExtractionTraining
from ernie_triton.training.tasks.whole_text import (
    MultiLabelTraining,
    RegressionTraining,
    SeqClsTraining,
)
from ernie_triton.training.tasks.windowed import QaTraining, TokenClsTraining

__all__ = ["Batch", "Features", "TrainingTask", "training_task"]

_TASKS: Mapping[str, type[TrainingTask]] = {
    SEQ_CLS.name: SeqClsTraining,
    MULTI_LABEL.name: MultiLabelTraining,
    REGRESSION.name: RegressionTraining,
    TOKEN_CLS.name: TokenClsTraining,
    QA.name: QaTraining,
    EMBEDDING.name: EmbeddingTraining,
    EXTRACTION.name: ExtractionTraining,
    CHOICE.name: ChoiceTraining,
    CLOZE.name: ClozeTraining,
}


def training_task(data: DataSet, tokenizer: TextEncoder, *, max_length: int) -> TrainingTask:
    """Make the training task of a data set.

    Args:
        data: the data set.
        tokenizer: of the checkpoint that is trained (`checkpoints.load_tokenizer`).
        max_length: most tokens of a row, as the tokenizer has it.
    """
    return _TASKS[data.task](data, tokenizer, max_length=max_length)
