"""Pipelines whose configurations the tests look at, and the sizes of a model."""

from ernie_triton.build.config import ModelSizes
from ernie_triton.pipeline import Answering, Batching
from tests.build.models import spec_of

LABELS = ("财经", "体育", "娱乐")
SIZES = ModelSizes(
    labels=LABELS,
    hidden=24,
    lower_case=False,
    pad_token_id=3,
    vocabulary_size=18_000,
    token_types=2,
)
SMALL = Batching(max_batch_size=8, max_queue_delay_us=500, max_queue_size=3)
SPECS = {
    "seq_cls": spec_of(name="titles", threads=4, precision="bf16", max_length=64),
    "seq_cls_pair": spec_of(pair=True, engine="onnxruntime", layout="padded", batching=SMALL),
    "multi_label": spec_of(task="multi_label", answering=Answering(thresholds={"体育": 0.25})),
    "regression": spec_of(task="regression", pair=True),
    "rerank": spec_of(
        task="rerank", batching=SMALL, answering=Answering(rank_label="体育", max_documents=100)
    ),
    "choice": spec_of(task="choice"),
    "cloze": spec_of(task="cloze"),
    "sparse": spec_of(task="sparse"),
    "colbert": spec_of(task="colbert"),
    "token_cls": spec_of(task="token_cls", max_length=100, batching=SMALL),
    "per_token": spec_of(
        task="token_cls", answering=Answering(overlap=7, max_windows=100, per_token=True)
    ),
    "qa": spec_of(task="qa"),
    "qa_no_answer": spec_of(
        task="qa",
        answering=Answering(max_windows=4, max_answer_tokens=9, n_best=2, no_answer_threshold=-1.5),
    ),
    "embedding": spec_of(task="embedding"),
    "raw_vectors": spec_of(task="embedding", answering=Answering(normalize=False)),
}
LENGTHS = (5, 40)
"""Tokens of the warm-up samples."""
