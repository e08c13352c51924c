"""Join the rows of several requests into one engine input, packed or padded, and split outputs."""

import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Array, Float32, Int32, Int64, Outputs, Tensors

LENGTH_BUCKET = 8
"""Padded lengths are rounded up to a multiple of this: a runtime sees fewer shapes."""

ANY_ROWS = sys.maxsize
"""As many rows in a run as there are."""

COLUMN_STEP = 16
"""Columns of a packed batch's rectangle are a multiple of this: a vector of AVX-512."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBatch:
    """Rows of tokens without padding, one after the other.

    Attributes:
        input_ids: int32 [tokens].
        token_type_ids: int32 [tokens].
        lengths: int32 [rows], each at least 1; their sum is `tokens`.
    """

    input_ids: Int32
    token_type_ids: Int32
    lengths: Int32

    @property
    def rows(self) -> int:
        """Rows of the batch."""
        return len(self.lengths)

    def packed(self, *, token_step: int = 1, row_step: int = 1) -> dict[str, Int32]:
        """Inputs of a packed graph.

        Runtimes that compile for each shape ask for steps. A last row fills the tokens up to a
        multiple of `token_step`. Empty rows before it fill the rows up to a multiple of `row_step`;
        their first token is that of the last row.
        """
        ids, types, lengths = self.input_ids, self.token_type_ids, self.lengths
        if token_step > 1:
            filler = -len(ids) % token_step or token_step
            tail = np.zeros(-(len(lengths) + 1) % row_step + 1, np.int32)
            tail[-1] = filler
            ids = np.concatenate([ids, np.repeat(ids[:1], filler)])
            types = np.concatenate([types, np.zeros(filler, np.int32)])
            lengths = np.concatenate([lengths, tail])
        return {
            "input_ids": ids,
            "token_type_ids": types,
            "lengths": lengths,
            "width": packed_width(lengths),
        }

    def packed_alone(self, token_step: int, pad_token_id: int, most: int) -> dict[str, Int32]:
        """Inputs of a packed graph for a batch of one row, filled up within the row.

        Padding at its end, which the graph masks, makes its length a multiple of `token_step`, or
        `most` tokens.
        """
        filler = min(-len(self.input_ids) % token_step, most - len(self.input_ids))
        lengths = self.lengths + np.int32(filler)
        return {
            "input_ids": np.append(self.input_ids, np.full(filler, pad_token_id, np.int32)),
            "token_type_ids": np.append(self.token_type_ids, np.zeros(filler, np.int32)),
            "lengths": lengths,
            "width": packed_width(lengths),
        }

    def select(self, rows: Int64) -> "TokenBatch":
        """Some of the rows, in the order given; a row may come more than once."""
        tokens = self.token_places(rows)
        return TokenBatch(
            input_ids=self.input_ids[tokens],
            token_type_ids=self.token_type_ids[tokens],
            lengths=self.lengths[rows],
        )

    def each_row(self) -> list["TokenBatch"]:
        """Every row as a batch of its own."""
        starts = np.cumsum(self.lengths)[:-1]
        parts = (
            np.split(self.input_ids, starts),
            np.split(self.token_type_ids, starts),
            np.split(self.lengths, self.rows),
        )
        return [
            TokenBatch(input_ids=ids, token_type_ids=types, lengths=length)
            for ids, types, length in zip(*parts, strict=True)
        ]

    def token_places(self, rows: Int64) -> Int64:
        """Places in the batch of the tokens of these rows, row after row."""
        ends = np.cumsum(self.lengths)
        return np.concatenate([np.arange(ends[r] - self.lengths[r], ends[r]) for r in rows])

    def micro_batches(self, cells: int, rows: int = ANY_ROWS) -> Iterator[Int64]:
        """Group so many rows of similar lengths; a group has one row, or at most these cells."""
        order = np.argsort(self.lengths, kind="stable")
        lengths = self.lengths[order].tolist()
        start = 0
        for place in range(1, len(order) + 1):
            count = place - start
            full = count == rows or (place < len(order) and (count + 1) * lengths[place] > cells)
            if full or place == len(order):
                yield order[start:place]
                start = place

    def padded(self, pad_token_id: int, longest_allowed: int) -> dict[str, Int32]:
        """Inputs of a padded graph, and an `attention_mask`; all int32 [rows, length].

        The length is the longest row's, rounded up to a multiple of `LENGTH_BUCKET` within
        `longest_allowed`.
        """
        longest = int(self.lengths.max())
        length = max(longest, min(-(-longest // LENGTH_BUCKET) * LENGTH_BUCKET, longest_allowed))
        real = np.arange(length) < self.lengths[:, None]
        input_ids = np.full(real.shape, pad_token_id, np.int32)
        token_type_ids = np.zeros(real.shape, np.int32)
        input_ids[real] = self.input_ids
        token_type_ids[real] = self.token_type_ids
        return {
            "input_ids": input_ids,
            "token_type_ids": token_type_ids,
            "attention_mask": real.astype(np.int32),
        }


def packed_width(lengths: Int32) -> Int32:
    """The input `width` of a packed graph: as many zeros as the attention's rectangle has columns.

    Only its shape is read. A shape that follows from a shape costs a GPU no copy to the host.
    """
    return np.zeros(columns_for(int(lengths.max())), np.int32)


def columns_for(tokens: int) -> int:
    """Columns of a rectangle that takes rows of so many tokens."""
    return -(-tokens // COLUMN_STEP) * COLUMN_STEP


def join_rows(rectangles: Sequence[tuple[Int32, Int32 | None]], pad_token_id: int) -> TokenBatch:
    """Gather requests into one batch.

    Args:
        rectangles: for each request its `input_ids` and `token_type_ids`, int32 [rows, length];
            without the second every token has type 0.
        pad_token_id: what stands after a row's last token, and is dropped there.
    """
    ids, types, lengths = [], [], []
    for input_ids, token_type_ids in rectangles:
        row_lengths = _row_lengths(input_ids, pad_token_id)
        is_full = len(row_lengths) == 1 and row_lengths[0] == input_ids.shape[1]
        real = 0 if is_full else np.arange(input_ids.shape[1]) < row_lengths[:, None]
        ids.append(input_ids[real])
        if token_type_ids is not None:
            types.append(token_type_ids[real])
        lengths.append(row_lengths)
    tokens = np.concatenate(ids)
    return TokenBatch(
        input_ids=tokens,
        token_type_ids=np.concatenate(types) if types else np.zeros_like(tokens),
        lengths=np.concatenate(lengths),
    )


def join_batches(batches: Sequence[TokenBatch]) -> TokenBatch:
    """The rows of several batches in one."""
    return TokenBatch(
        input_ids=np.concatenate([batch.input_ids for batch in batches]),
        token_type_ids=np.concatenate([batch.token_type_ids for batch in batches]),
        lengths=np.concatenate([batch.lengths for batch in batches]),
    )


def _row_lengths(input_ids: Int32, pad_token_id: int) -> Int32:
    """Tokens of each row up to the last that is not padding."""
    rows, width = input_ids.shape
    if rows == 1 and width and input_ids[0, -1] != pad_token_id:
        return np.array([width], np.int32)
    real = input_ids != pad_token_id
    lengths = width - np.argmax(real[:, ::-1], axis=1) if width else np.zeros(rows)
    return np.where(real.any(axis=1), lengths, 0).astype(np.int32)


def split_rows(outputs: Tensors, rows: Sequence[int]) -> list[dict[str, Array]]:
    """Cut outputs [rows, …], or [tokens, …], into parts of these sizes, one after the other."""
    return [
        {name: values[end - count : end] for name, values in outputs.items()}
        for end, count in zip(itertools.accumulate(rows), rows, strict=True)
    ]


def split_tokens(
    outputs: Outputs, lengths: Int32, rectangles: Sequence[tuple[int, int]]
) -> list[dict[str, Float32]]:
    """Give each request its part of outputs [tokens, …] as rectangles [rows, length, …].

    Args:
        outputs: of the batch that `join_rows` made.
        lengths: that batch's.
        rectangles: for each request its rows and their length; what lies past a row's last token
            is 0.
    """
    parts = []
    token = row = 0
    for rows, longest in rectangles:
        own = lengths[row : row + rows]
        real = np.arange(longest) < own[:, None]
        count = int(own.sum())
        made = {}
        for name, values in outputs.items():
            made[name] = np.zeros((*real.shape, *values.shape[1:]), np.float32)
            made[name][real] = values[token : token + count]
        parts.append(made)
        token, row = token + count, row + rows
    return parts
