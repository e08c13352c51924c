"""Rows of a query's documents: each document is a row of tokens beside its query.

A request has one or more queries, each with as many documents. Their rows run with those of other
requests; the postprocess stage puts them together by the number of their query.
"""

import numpy as np

from ernie_triton.arrays import Array, Tensors
from ernie_triton.errors import TextError
from ernie_triton.tasks import QUERY_ROW

_TRUNCATED = "truncated"


def check_documents(documents: Array, most: int) -> None:
    """Refuse a request without documents, or with more than `most`.

    Args:
        documents: [queries, documents].
        most: documents of one request, those of all its queries together.

    Raises:
        TextError: there are none, or too many.
    """
    found = documents.size
    if not found:
        raise TextError(f"the request has no documents; expected 1 to {most:,}")
    if found > most:
        raise TextError(
            f"the request has {found:,} documents; expected at most {most:,}; send them in parts "
            f"(each document's score is its own), or build with a larger --max-documents"
        )


def document_rows(queries: list[str], documents: list[str]) -> tuple[list[str], ...]:
    """The first and the second text of each row, the documents of a query one after another."""
    each = len(documents) // len(queries)
    return [query for query in queries for _ in range(each)], documents


def with_document_rows(tensors: Tensors, queries: int) -> Tensors:
    """A request's tensors with the query of each row, and `truncated` as [queries, documents]."""
    truncated = tensors[_TRUNCATED].reshape(queries, -1)
    rows = np.repeat(np.arange(queries, dtype=np.int32), truncated.shape[1])
    return {**tensors, QUERY_ROW.name: rows[:, None], _TRUNCATED: truncated}
