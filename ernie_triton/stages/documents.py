"""Rows of lists of texts: each document or option is a row of tokens beside the texts before it.

A request has one or more queries, each with as many documents; or questions with their options.
Their rows run with those of other requests; the postprocess stage puts them together by the number
of their query.
"""

import numpy as np

from ernie_triton.arrays import Array, Tensors
from ernie_triton.errors import TextError
from ernie_triton.tasks import QUERY_ROW, TRUNCATED, Task


def check_documents(task: Task, texts: Array, most: int) -> None:
    """Refuse a request with too few texts in a list, or with more than `most` in all.

    Args:
        task: names the list.
        texts: [queries, texts of each].
        most: texts of one request, those of all its queries together.

    Raises:
        TextError: there are too few, or too many.
    """
    name, found = task.list_input, texts.size
    if not found or texts.shape[-1] < task.fewest:
        raise TextError(
            f"the request has {texts.shape[-1] or 'no'} {name}; expected {task.fewest} to {most:,}"
        )
    if found > most:
        advice = "build with a larger --max-documents"
        if task.fewest == 1:
            advice = f"send them in parts (the score of each is its own), or {advice}"
        raise TextError(f"the request has {found:,} {name}; expected at most {most:,}; {advice}")


def document_rows(*columns: list[str]) -> tuple[list[str], ...]:
    """The texts of each row: the last column's, one after another, each beside those before it."""
    *queries, documents = columns
    each = len(documents) // len(queries[0])
    return *([text for text in column for _ in range(each)] for column in queries), documents


def with_document_rows(tensors: Tensors, queries: int) -> Tensors:
    """A request's tensors with the query of each row, and `truncated` as [queries, documents]."""
    truncated = tensors[TRUNCATED.name].reshape(queries, -1)
    rows = np.repeat(np.arange(queries, dtype=np.int32), truncated.shape[1])
    return {**tensors, QUERY_ROW.name: rows[:, None], TRUNCATED.name: truncated}
