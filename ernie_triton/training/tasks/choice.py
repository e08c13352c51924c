"""Which task a data set has."""

from collections.abc import Mapping

from ernie_triton.tasks import MULTI_LABEL, QA, REGRESSION, SEQ_CLS, TOKEN_CLS
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.training.datasets import DataSet
from ernie_triton.training.tasks.base import TrainingTask
from ernie_triton.training.tasks.qa import QaTraining
from ernie_triton.training.tasks.token_cls import TokenClsTraining
from ernie_triton.training.tasks.whole_texts import (
    MultiLabelTraining,
    RegressionTraining,
    SeqClsTraining,
)

_LEARNERS: Mapping[str, type[TrainingTask]] = {
    SEQ_CLS.name: SeqClsTraining,
    MULTI_LABEL.name: MultiLabelTraining,
    REGRESSION.name: RegressionTraining,
    TOKEN_CLS.name: TokenClsTraining,
    QA.name: QaTraining,
}


def training_task(data: DataSet, tokenizer: TextEncoder, *, max_length: int) -> TrainingTask:
    """The task of a data set's task.

    Args:
        data: the data set.
        tokenizer: of the checkpoint that is trained (`checkpoints.load_tokenizer`).
        max_length: the tokenizer's most tokens of a row.
    """
    return _LEARNERS[data.task](data, tokenizer, max_length=max_length)
