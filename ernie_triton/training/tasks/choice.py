"""Which learner a data set has."""

from collections.abc import Mapping

from ernie_triton.tasks import MULTI_LABEL, QA, REGRESSION, SEQ_CLS, TOKEN_CLS
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.training.datasets import DataSet
from ernie_triton.training.tasks.base import Learner
from ernie_triton.training.tasks.qa import Reader
from ernie_triton.training.tasks.token_cls import Tagger
from ernie_triton.training.tasks.whole_texts import Classifier, MultiLabelClassifier, Regressor

_LEARNERS: Mapping[str, type[Learner]] = {
    SEQ_CLS.name: Classifier,
    MULTI_LABEL.name: MultiLabelClassifier,
    REGRESSION.name: Regressor,
    TOKEN_CLS.name: Tagger,
    QA.name: Reader,
}


def learner_for(data: DataSet, tokenizer: TextEncoder, *, max_length: int) -> Learner:
    """The learner of a data set's task.

    Args:
        data: the data set.
        tokenizer: of the checkpoint that is trained (`checkpoints.load_tokenizer`).
        max_length: the tokenizer's most tokens of a row.
    """
    return _LEARNERS[data.task](data, tokenizer, max_length=max_length)
