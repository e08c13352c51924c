"""Every document becomes a row of tokens beside its query; a request has its own bounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ernie_triton.arrays import Array, Tensors
from ernie_triton.errors import TextError
from ernie_triton.settings import TokenizerSettings
from ernie_triton.stages.tokenizer import TokenizerStage
from ernie_triton.tasks import RERANK, token_tensors
from tests.stages.calls import answers, assert_as_declared, texts
from tests.tokenizer.original_tokenizer import OriginalTokenizer

MAX_LENGTH = 12


@pytest.fixture
def stage(folder: Path, paddle_vocab: Path) -> TokenizerStage:
    (folder / "1" / "vocab.txt").write_bytes(paddle_vocab.read_bytes())
    settings = TokenizerSettings(
        task="rerank",
        pair=True,
        max_length=MAX_LENGTH,
        lower_case=True,
        overlap=0,
        max_windows=1,
        max_documents=6,
    )
    return TokenizerStage.open(settings.to_parameters(), folder / "1")


def request(queries: list[str], documents: list[list[str | bytes]]) -> Tensors:
    rows: list[Array] = [texts(*row)[:, 0] for row in documents]
    return {"query": texts(*queries), "documents": np.stack(rows)}


def test_requests_of_one_batch_get_the_rows_of_their_own_pairs(
    stage: TokenizerStage, paddle_vocab: Path
) -> None:
    original = OriginalTokenizer(paddle_vocab, lower_case=True)
    asked = [
        (["北京"], [["好吃吗" * 9, "", "上海"]]),
        (["美食", ""], [["a", "北京好"], ["上海", "北" * 20]]),
        (["天" * 30], [["北京"]]),
    ]
    made = answers(stage, [request(queries, [[*row] for row in docs]) for queries, docs in asked])
    for (queries, documents), tensors in zip(asked, made, strict=True):
        pairs = [(q, d) for q, row in zip(queries, documents, strict=True) for d in row]
        truncated = {"truncated": tensors["truncated"]}
        assert_as_declared(truncated, RERANK.tokenizer_results, len(queries))
        of_rows = {name: tensor for name, tensor in tensors.items() if name != "truncated"}
        assert_as_declared(of_rows, (*token_tensors(pair=True), *RERANK.row_tensors), len(pairs))
        each = len(documents[0])
        assert tensors["query_row"].ravel().tolist() == [
            row for row in range(len(queries)) for _ in range(each)
        ]
        expected = [original.row(query, document, MAX_LENGTH) for query, document in pairs]
        for row, (ids, types) in enumerate(expected):
            assert tensors["input_ids"][row, : len(ids)].tolist() == ids
            assert not tensors["input_ids"][row, len(ids) :].any()
            assert tensors["token_type_ids"][row, : len(types)].tolist() == types
        whole = [original.row(query, document, 99)[0] for query, document in pairs]
        cut = [len(ids) > MAX_LENGTH for ids in whole]
        assert tensors["truncated"].ravel().tolist() == cut


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([[]], "the request has no documents; expected 1 to 6"),
        ([["a"] * 10_000], "the request has 10,000 documents; expected at most 6; send them in"),
        ([["a"] * 4] * 2, "the request has 8 documents; expected at most 6"),
        ([["a", b"\xff"]], "row 1 of the input 'documents' is not UTF-8"),
    ],
)
def test_a_request_without_documents_or_with_too_many_is_refused(
    stage: TokenizerStage, documents: list[list[str | bytes]], message: str
) -> None:
    queries = texts(*["北京"] * len(documents))
    rows = [
        np.array([t.encode() if isinstance(t, str) else t for t in row], object)
        for row in documents
    ]
    with pytest.raises(TextError, match=message):
        stage.read({"query": queries, "documents": np.stack(rows)})
