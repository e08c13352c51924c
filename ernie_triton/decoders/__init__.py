"""Engine outputs to answers, in NumPy alone: one decoder for each task.

`labels` decides for whole texts, `ranks` puts the documents of a query in order, `choices` picks
one of a question's options, `cloze` fills in masks, `entities` and `spans` find places in a text,
`vectors` passes embeddings on and `token_vectors` those of tokens, `lexical` gathers the weights of
tokens. `window_merging` puts the windows of long texts together for the two that find places. A new
task's decoder is a module here and an entry in `DECODERS`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ernie_triton.arrays import Tensors
from ernie_triton.decoders.choices import ChoiceDecoder
from ernie_triton.decoders.cloze import ClozeDecoder
from ernie_triton.decoders.entities import EntityDecoder
from ernie_triton.decoders.labels import LabelDecoder
from ernie_triton.decoders.lexical import LexicalDecoder
from ernie_triton.decoders.ranks import RankDecoder
from ernie_triton.decoders.spans import AnswerDecoder
from ernie_triton.decoders.token_vectors import TokenVectorDecoder
from ernie_triton.decoders.vectors import VectorDecoder
from ernie_triton.tasks import (
    CHOICE,
    CLOZE,
    COLBERT,
    EMBEDDING,
    MULTI_LABEL,
    QA,
    REGRESSION,
    RERANK,
    SEQ_CLS,
    SPARSE,
    TOKEN_CLS,
)


class Decoder(Protocol):
    """Answers of one task, for batches of requests."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the tensors that `read` is given."""

    def read(self, tensors: Tensors) -> Any:  # noqa: ANN401
        """Check and take one request's tensors.

        Raises:
            ErnieTritonError: the request is refused with this message.
        """

    def run(self, items: Sequence[Any]) -> Sequence[Tensors]:
        """Answer a batch of what `read` took, in order."""


DECODERS: Mapping[str, Callable[[Mapping[str, str], Sequence[str]], Decoder]] = {
    SEQ_CLS.name: LabelDecoder,
    MULTI_LABEL.name: LabelDecoder,
    REGRESSION.name: LabelDecoder,
    RERANK.name: RankDecoder,
    CHOICE.name: ChoiceDecoder,
    TOKEN_CLS.name: EntityDecoder,
    QA.name: AnswerDecoder,
    EMBEDDING.name: VectorDecoder,
    CLOZE.name: ClozeDecoder,
    SPARSE.name: LexicalDecoder,
    COLBERT.name: TokenVectorDecoder,
}
"""Decoder classes by task; each takes the stage's parameters and the names of scores, if any."""
