"""Ask models of a Triton server: typed clients for every task, blocking and asyncio.

    from ernie_triton.client import SeqClsClient

    with SeqClsClient("localhost:8001") as client:
        [result] = client.classify(["今天的股市大涨"])
        print(result.best.name, result.best.score)

Errors are in `ernie_triton.errors`. The flow of a call: a task's module in `tasks` names the
outputs to ask for and reads the reply; `core` cuts the rows into requests, retries what is safe to
retry and isolates a failing row; `transport` speaks gRPC. `evaluation` scores answers, `cli` has
the command lines.

A new task is a module in `tasks`, a scorer and a row in `evaluation.tasks`, and a module in `cli`.
"""

from ernie_triton.client.core import Policy
from ernie_triton.client.request_context import request_context
from ernie_triton.client.tasks.choice import AsyncChoiceClient, ChoiceClient, ChosenOption
from ernie_triton.client.tasks.cloze import AsyncClozeClient, ClozeClient, FilledText, FilledToken
from ernie_triton.client.tasks.colbert import AsyncColbertClient, ColbertClient, TokenVectors
from ernie_triton.client.tasks.embedding import AsyncEmbeddingClient, EmbeddingClient
from ernie_triton.client.tasks.extraction import (
    AsyncExtractionClient,
    ExtractedSpan,
    ExtractionClient,
)
from ernie_triton.client.tasks.multi_label import AsyncMultiLabelClient, LabelSet, MultiLabelClient
from ernie_triton.client.tasks.qa import Answer, AsyncQaClient, Candidate, QaClient
from ernie_triton.client.tasks.regression import AsyncRegressionClient, RegressionClient, Score
from ernie_triton.client.tasks.rerank import AsyncRerankClient, RankedDocument, RerankClient
from ernie_triton.client.tasks.seq_cls import AsyncSeqClsClient, Classification, Label, SeqClsClient
from ernie_triton.client.tasks.sparse import AsyncSparseClient, SparseClient, SparseVector
from ernie_triton.client.tasks.token_cls import AsyncTokenClsClient, Entity, Token, TokenClsClient
from ernie_triton.client.tasks.vectors import quantize_vectors, shorten_vectors, vector_ranges
from ernie_triton.client.transport import Connection
from ernie_triton.client.wire import AsyncTransport, Endpoint, Transport

__all__ = [
    "Answer",
    "AsyncChoiceClient",
    "AsyncClozeClient",
    "AsyncColbertClient",
    "AsyncEmbeddingClient",
    "AsyncExtractionClient",
    "AsyncMultiLabelClient",
    "AsyncQaClient",
    "AsyncRegressionClient",
    "AsyncRerankClient",
    "AsyncSeqClsClient",
    "AsyncSparseClient",
    "AsyncTokenClsClient",
    "AsyncTransport",
    "Candidate",
    "ChoiceClient",
    "ChosenOption",
    "Classification",
    "ClozeClient",
    "ColbertClient",
    "Connection",
    "EmbeddingClient",
    "Endpoint",
    "Entity",
    "ExtractedSpan",
    "ExtractionClient",
    "FilledText",
    "FilledToken",
    "Label",
    "LabelSet",
    "MultiLabelClient",
    "Policy",
    "QaClient",
    "RankedDocument",
    "RegressionClient",
    "RerankClient",
    "Score",
    "SeqClsClient",
    "SparseClient",
    "SparseVector",
    "Token",
    "TokenClsClient",
    "TokenVectors",
    "Transport",
    "quantize_vectors",
    "request_context",
    "shorten_vectors",
    "vector_ranges",
]
