"""Tokens of a batch as rows: cut to the length allowed, and shared out among the requests."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ernie_triton.arrays import Bool, Int32, Tensors
from ernie_triton.tasks import INPUT_IDS, TOKEN_TYPE_IDS
from ernie_triton.tokenizer.rules import ORDINARY, TokenRules


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedRows:
    """Rows of tokens, one after the other.

    Attributes:
        input_ids: int32 [tokens].
        token_type_ids: int32 [tokens]; 0 for the first text and its special tokens, 1 for those
            of the others.
        lengths: int32 [rows], tokens of each row; at least 2.
        kept: int32 [rows, texts], tokens of each text in its row.
        truncated: bool [rows], whether the row's text did not fit.
    """

    input_ids: Int32
    token_type_ids: Int32
    lengths: Int32
    kept: Int32
    truncated: Bool

    def by_request(self, rows: Sequence[int], pad_token_id: int) -> list[dict[str, Any]]:
        """The tokenizer stage's output tensors of each request, its rows padded to its longest.

        Where every request has one row, its tensors are views of the batch's.

        Args:
            rows: how many rows each request has, in order.
            pad_token_id: what to pad with.
        """
        ids, types = self.input_ids[None], self.token_type_ids[None]
        if all(count == 1 for count in rows):
            ends = np.cumsum(self.lengths).tolist()
            return [
                {
                    "input_ids": ids[:, first:end],
                    "token_type_ids": types[:, first:end],
                    "truncated": truncated,
                }
                for first, end, truncated in zip(
                    [0, *ends[:-1]], ends, self.truncated[:, None, None], strict=True
                )
            ]
        answers: list[dict[str, Any]] = []
        token = row = 0
        for count in rows:
            lengths = self.lengths[row : row + count]
            tokens = slice(token, token + int(lengths.sum()))
            answers.append(
                {
                    "input_ids": _rectangle(self.input_ids[tokens], lengths, pad_token_id),
                    "token_type_ids": _rectangle(self.token_type_ids[tokens], lengths, 0),
                    "truncated": self.truncated[row : row + count, None],
                }
            )
            token, row = tokens.stop, row + count
        return answers


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthBuckets:
    """The lengths that rows may have, for engines that the server's own batcher feeds.

    Triton's batcher puts requests of equal shapes into one run. With lengths rounded up, more
    requests have equal shapes, and a runtime sees fewer of them.

    Attributes:
        bucket: lengths are multiples of this; 1 leaves them as they are.
        max_length: the longest, also where it is no multiple.
        pad_token_id: fills the rows of `input_ids`; those of `token_type_ids` get 0.
    """

    bucket: int
    max_length: int
    pad_token_id: int

    def padded(self, tensors: Tensors) -> Tensors:
        """One request's tensors with the rows of its tokens, int32 [rows, length], padded.

        The others stay: `spans` need not cover padding.
        """
        length = tensors[INPUT_IDS.name].shape[1]
        wanted = max(length, min(-(-length // self.bucket) * self.bucket, self.max_length))
        if wanted == length:
            return tensors
        longer = dict(tensors)
        fillers = {INPUT_IDS.name: self.pad_token_id, TOKEN_TYPE_IDS.name: 0}
        for name in fillers.keys() & tensors.keys():
            longer[name] = np.full((len(tensors[name]), wanted), fillers[name], np.int32)
            longer[name][:, :length] = tensors[name]
        return longer


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTokens:
    """The tokens of one text.

    Attributes:
        ids: int32 [tokens].
        spans: int32 [tokens, 3]: the token's first character in the text, the character after its
            last, and 1 where it begins a word.
    """

    ids: Int32
    spans: Int32


def single_rows(ids: Int32, counts: Int32, max_length: int) -> TokenizedRows:
    """Rows of one text each.

    Args:
        ids: int32 [tokens]: the row's first special token, the text's tokens, the special token
            that ends it, row after row.
        counts: int32 [rows], tokens of each text.
        max_length: most tokens of a row; what the text has beyond is cut off.
    """
    room = max_length - 2
    truncated = counts > room
    if np.count_nonzero(truncated):
        kept = np.minimum(counts, room)
        ids = ids[_kept_tokens(kept + 1, counts - kept)]
        counts = kept
    return TokenizedRows(
        input_ids=ids,
        token_type_ids=np.zeros(len(ids), np.int32),
        lengths=counts + 2,
        kept=counts[:, None],
        truncated=truncated,
    )


def several_rows(
    ids: Int32, counts: Int32, max_length: int, texts: int, rules: TokenRules = ORDINARY
) -> TokenizedRows:
    """Rows of several texts each.

    Args:
        ids: int32 [tokens]: as for `single_rows`, then each further text's tokens and the special
            token that ends it, with the rules' other separators before it.
        counts: int32 [texts * rows], tokens of each text.
        max_length: most tokens of a row; the longest of its texts is cut first.
        texts: how many a row has, at least 2.
        rules: the form of rows.
    """
    found = counts.reshape(-1, texts)
    specials = 2 + (texts - 1) * rules.separators
    room = max_length - specials
    truncated = found.sum(axis=1) > room
    kept = found
    if np.count_nonzero(truncated):
        longer_keeps = not (rules.splits_symbols or rules.splits_pieces)  # PaddleNLP's
        cut = _longest_first(found, room, longer_keeps=longer_keeps)
        kept = np.where(truncated[:, None], cut, found)
        heads = kept + np.int32(rules.separators - 1)
        heads[:, 0] = kept[:, 0] + 1
        ids = ids[_kept_tokens(heads.reshape(-1), (found - kept).reshape(-1))]
    lengths = kept.sum(axis=1, dtype=np.int32) + np.int32(specials)
    of_types = np.empty((len(kept), 2), np.int32)
    of_types[:, 0] = kept[:, 0] + 2
    of_types[:, 1] = lengths - of_types[:, 0]
    pattern = np.tile(np.array([0, int(not rules.one_type)], np.int32), len(kept))
    return TokenizedRows(
        input_ids=ids,
        token_type_ids=np.repeat(pattern, of_types.reshape(-1)),
        lengths=lengths,
        kept=kept,
        truncated=truncated,
    )


def with_last_tokens(rows: TokenizedRows, ids: Sequence[int]) -> TokenizedRows:
    """The rows with more tokens behind each, of the token type of the one before them."""
    ends = np.cumsum(rows.lengths)
    places = np.repeat(ends, len(ids))
    types = rows.token_type_ids[ends - 1]
    return dataclasses.replace(
        rows,
        input_ids=np.insert(rows.input_ids, places, np.tile(ids, len(ends))),
        token_type_ids=np.insert(rows.token_type_ids, places, np.repeat(types, len(ids))),
        lengths=rows.lengths + np.int32(len(ids)),
    )


def _kept_tokens(heads: Int32, cut: Int32) -> Bool:
    """A mask of the tokens that stay: `heads` of each text, not the next `cut`, then its last."""
    stretches = np.ones((len(heads), 3), np.int32)
    stretches[:, 0], stretches[:, 1] = heads, cut
    return np.repeat(np.tile([True, False, True], len(heads)), stretches.reshape(-1))


def _longest_first(counts: Int32, room: int, *, longer_keeps: bool) -> Int32:
    """Lengths after cutting the longest text, token by token, until those of a row fit.

    Of equals, the second of two is cut first, as PaddleNLP and transformers' slow tokenizers do it;
    the first of three, as PaddleNLP's recipes do.

    Args:
        counts: int32 [rows, texts], each row's more than `room` in sum.
        room: tokens of all texts of a row.
        longer_keeps: the longer of two keeps the odd token, of equals the second, as in
            transformers' fast tokenizers.
    """
    texts = counts.shape[1]
    ordered = np.sort(counts, axis=1)
    uncut = np.cumsum(ordered, axis=1) - ordered
    # With the shortest k texts whole, the others have this many tokens each; the rest is shared.
    level = ((room - uncut) // np.arange(texts, 0, -1)).max(axis=1, keepdims=True)
    kept = np.minimum(counts, level)
    is_cut = counts > level
    before = np.cumsum(is_cut if texts == 2 else is_cut[:, ::-1], axis=1)
    place = before if texts == 2 else before[:, ::-1]
    if longer_keeps and texts == 2:
        second = is_cut.all(axis=1, keepdims=True) & (counts[:, 1:] >= counts[:, :1])
        place = np.where(second, place[:, ::-1], place)
    longer = is_cut & (place <= room - kept.sum(axis=1, keepdims=True))
    return np.asarray(kept + longer, np.int32)


def _rectangle(values: Int32, lengths: Int32, filler: int) -> Int32:
    if len(lengths) == 1:
        return values[None]
    real = np.arange(lengths.max()) < lengths[:, None]
    rectangle = np.full(real.shape, filler, np.int32)
    rectangle[real] = values
    return rectangle
