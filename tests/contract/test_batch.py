"""Rows of several requests go into one batch and come back, each value to its own place."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.arrays import Int32
from ernie_triton.batch import (
    LENGTH_BUCKET,
    TokenBatch,
    join_rows,
    split_rows,
    split_tokens,
)

LONGEST = 20
PAD = 3
"""An id that tokens of a row have too, but not the last."""
RUBBISH = 999_999
"""The type of what stands past the end of a row, which may not come through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Rows of (token id, token type id), and how much wider than the longest its tensor is."""

    rows: list[list[tuple[int, int]]]
    excess: int

    def rectangle(self) -> tuple[Int32, Int32]:
        width = max(len(row) for row in self.rows) + self.excess
        ids = np.full((len(self.rows), width), PAD, np.int32)
        types = np.full_like(ids, RUBBISH)
        for index, row in enumerate(self.rows):
            for column, (token, kind) in enumerate(row):
                ids[index, column], types[index, column] = token, kind
        return ids, types


# Few ids, so that there is often padding inside a row.
tokens_of_a_row = st.tuples(st.integers(0, 5) | st.just(9999), st.integers(0, 1))
rows = st.builds(
    lambda row, last: [*row, last],
    st.lists(tokens_of_a_row, max_size=LONGEST - 1),
    tokens_of_a_row.filter(lambda token: token[0] != PAD),
)
requests = st.builds(Request, rows=st.lists(rows, min_size=1, max_size=4), excess=st.integers(0, 3))
batches = st.lists(requests, min_size=1, max_size=5)


def all_rows(batch: list[Request]) -> list[list[tuple[int, int]]]:
    return [row for request in batch for row in request.rows]


def joined_rows(batch: list[Request]) -> TokenBatch:
    return join_rows([request.rectangle() for request in batch], PAD)


@given(batch=batches)
def test_joined_rows_are_the_requests_tokens_one_after_the_other(batch: list[Request]) -> None:
    joined = joined_rows(batch)
    tokens = [token for row in all_rows(batch) for token in row]
    assert list(zip(joined.input_ids, joined.token_type_ids, strict=True)) == tokens
    assert joined.lengths.tolist() == [len(row) for row in all_rows(batch)]
    assert joined.rows == len(all_rows(batch))
    assert {array.dtype for array in joined.packed().values()} == {np.dtype(np.int32)}


@given(batch=batches)
def test_tokens_without_types_are_all_of_the_first(batch: list[Request]) -> None:
    typed = joined_rows(batch)
    plain = join_rows([(request.rectangle()[0], None) for request in batch], PAD)
    assert plain.input_ids.tolist() == typed.input_ids.tolist()
    assert plain.lengths.tolist() == typed.lengths.tolist()
    assert plain.token_type_ids.tolist() == [0] * len(plain.input_ids)
    assert {array.dtype for array in plain.packed().values()} == {np.dtype(np.int32)}


@given(batch=batches, token_step=st.integers(2, 40), row_step=st.integers(1, 9))
def test_steps_leave_the_rows_as_they_are_and_fill_up_behind_them(
    batch: list[Request], token_step: int, row_step: int
) -> None:
    joined = joined_rows(batch)
    filled = joined.packed(token_step=token_step, row_step=row_step)
    tokens, rows = len(joined.input_ids), joined.rows
    assert len(filled["input_ids"]) % token_step == 0
    assert len(filled["lengths"]) % row_step == 0
    assert len(filled["input_ids"]) - tokens <= token_step
    assert len(filled["lengths"]) - rows <= row_step
    for name, values in joined.packed().items():
        assert filled[name][: len(values)].tolist() == values.tolist()
    assert filled["lengths"].sum() == len(filled["input_ids"]) == len(filled["token_type_ids"])
    assert len(filled["width"]) in range(filled["lengths"].max(), filled["lengths"].max() + 16)
    assert len(filled["width"]) % 16 == 0
    # Empty rows need a first token to point at.
    assert filled["lengths"][-1] > 0
    assert not filled["lengths"][rows:-1].any()


@given(batch=batches, allowed=st.integers(LONGEST, LONGEST + 10), pad=st.integers(0, 5))
def test_padded_rows_hold_the_same_tokens_and_mark_them(
    batch: list[Request], allowed: int, pad: int
) -> None:
    inputs = joined_rows(batch).padded(pad, allowed)
    longest = max(len(row) for row in all_rows(batch))
    length = inputs["input_ids"].shape[1]
    assert longest <= length <= allowed
    assert length % LENGTH_BUCKET == 0 or length == allowed
    assert length - longest < LENGTH_BUCKET
    for index, row in enumerate(all_rows(batch)):
        filler = length - len(row)
        ids, types = (list(values) for values in zip(*row, strict=True))
        assert inputs["input_ids"][index].tolist() == ids + [pad] * filler
        assert inputs["token_type_ids"][index].tolist() == types + [0] * filler
        assert inputs["attention_mask"][index].tolist() == [1] * len(row) + [0] * filler


@given(counts=st.lists(st.integers(1, 6), min_size=1, max_size=8))
def test_every_request_gets_its_own_rows_of_every_output(counts: list[int]) -> None:
    owners = np.repeat(np.arange(len(counts)), counts).astype(np.float32)
    outputs = {"logits": np.stack([owners, -owners], axis=1), "vector": owners}
    parts = split_rows(outputs, counts)
    assert len(parts) == len(counts)
    for request, (part, count) in enumerate(zip(parts, counts, strict=True)):
        assert part["logits"].tolist() == [[request, -request]] * count
        assert part["vector"].tolist() == [request] * count


@given(batch=batches)
def test_every_request_gets_the_outputs_of_its_own_tokens(batch: list[Request]) -> None:
    rectangles = [request.rectangle() for request in batch]
    joined = join_rows(rectangles, PAD)
    # Of each token its id, and its id with its type: outputs of one number and of several.
    ids = joined.input_ids.astype(np.float32)
    outputs = {"start": ids, "logits": np.stack([ids, joined.token_type_ids], axis=1)}
    outputs["logits"] = outputs["logits"].astype(np.float32)
    parts = split_tokens(
        outputs, joined.lengths, [(len(ids), ids.shape[1]) for ids, _ in rectangles]
    )
    for request, (ids_sent, _), part in zip(batch, rectangles, parts, strict=True):
        assert part["start"].shape == ids_sent.shape
        assert part["logits"].shape == (*ids_sent.shape, 2)
        assert {values.dtype for values in part.values()} == {np.dtype(np.float32)}
        for index, row in enumerate(request.rows):
            filler = ids_sent.shape[1] - len(row)
            assert part["start"][index].tolist() == [token for token, _ in row] + [0] * filler
            assert part["logits"][index].tolist() == [*map(list, row), *[[0, 0]] * filler]


@given(batch=batches, data=st.data())
def test_selected_rows_are_the_same_rows_in_the_order_asked(
    batch: list[Request], data: st.DataObject
) -> None:
    rows = all_rows(batch)
    wanted = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=9))
    joined = joined_rows(batch)
    picked = joined.select(np.array(wanted, np.int64))
    tokens = [token for place in wanted for token in rows[place]]
    assert list(zip(picked.input_ids, picked.token_type_ids, strict=True)) == tokens
    assert picked.lengths.tolist() == [len(rows[place]) for place in wanted]
    assert {array.dtype for array in picked.packed().values()} == {np.dtype(np.int32)}


@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=40),
    cells=st.integers(1, 400),
    most=st.integers(1, 50),
)
def test_micro_batches_have_every_row_once_within_the_cells(
    lengths: list[int], cells: int, most: int
) -> None:
    groups = [group.tolist() for group in batch_of(lengths).micro_batches(cells, most)]
    assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
    sizes = [[lengths[row] for row in group] for group in groups]
    assert all(len(size) == 1 or len(size) * max(size) <= cells for size in sizes)
    assert all(len(size) <= most for size in sizes)
    # Rows of similar lengths are together, and no two groups could have been one.
    assert all(max(a) <= min(b) for a, b in itertools.pairwise(sizes))
    pairs = itertools.pairwise(sizes)
    assert all(len(a) == most or (len(a) + 1) * b[0] > cells for a, b in pairs)


def test_a_batch_of_titles_is_one_micro_batch() -> None:
    lengths = [24] * (1024 // 24)
    assert len(list(batch_of(lengths).micro_batches(1024))) == 1
    assert len(list(batch_of([*lengths, 24]).micro_batches(1024))) == 2


def batch_of(lengths: list[int]) -> TokenBatch:
    tokens = np.zeros(sum(lengths), np.int32)
    return TokenBatch(input_ids=tokens, token_type_ids=tokens, lengths=np.array(lengths, np.int32))


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        ([1, 2, 4, 5], [1, 2, 4, 5]),
        ([1, 2, 4, PAD, PAD], [1, 2, 4]),
        ([1, PAD, 2, PAD], [1, PAD, 2]),
        ([PAD, PAD, 2], [PAD, PAD, 2]),
        ([PAD, PAD], []),
        ([], []),
    ],
)
def test_padding_behind_a_row_is_dropped_and_inside_it_stays(
    row: list[int], kept: list[int]
) -> None:
    """Alone in its request, where a row may take a shorter way, and one of two."""
    alone = np.array([row], np.int32)
    for types in (None, alone + 1):
        single = join_rows([(alone, types)], PAD)
        assert single.input_ids.tolist() == kept
        assert single.lengths.tolist() == [len(kept)]
        two = np.repeat(alone, 2, axis=0)
        double = join_rows([(two, None if types is None else two + 1)], PAD)
        assert double.input_ids.tolist() == kept * 2
        assert double.lengths.tolist() == [len(kept)] * 2
        expected = [0 if types is None else token + 1 for token in kept]
        assert single.token_type_ids.tolist() == expected
        assert double.token_type_ids.tolist() == expected * 2


@pytest.mark.parametrize(("longest", "allowed", "length"), [(5, 128, 8), (8, 8, 8), (9, 12, 12)])
def test_padded_lengths_go_up_to_a_bucket_within_what_the_model_takes(
    longest: int, allowed: int, length: int
) -> None:
    tokens = np.ones(longest, np.int32)
    batch = TokenBatch(
        input_ids=tokens, token_type_ids=tokens, lengths=np.array([longest], np.int32)
    )
    assert batch.padded(0, allowed)["input_ids"].shape == (1, length)
