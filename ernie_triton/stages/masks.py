"""Rows of masks: each mask of a text is a row of its tokens, in which the other masks stay marked.

The engine fills in one token of a row. In the row of a mask the text's other masks have a second id
of the same embedding, so every row says itself which token is asked for.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ernie_triton.arrays import Int64, Tensors
from ernie_triton.errors import TextError
from ernie_triton.settings import TokenizerSettings
from ernie_triton.tasks import ASKED, INPUT_IDS, QUERY_ROW, TOKEN_TYPE_IDS, TRUNCATED
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.token_rows import TokenizedRows

DEFAULT_TOP_K = 5
MOST_TOKENS = 1000
"""Most tokens of an answer, and most candidates."""
_KEYS = {"top_k", "candidates"}


class MaskRows:
    """Makes the rows of texts with masks, and reads what is asked of each."""

    def __init__(self, settings: TokenizerSettings, encoder: TextEncoder) -> None:
        """Use a tokenizer that was made for the settings."""
        self._encoder = encoder
        self._most = settings.max_documents
        self._other_id = settings.other_mask
        self._name = encoder.vocabulary.rules.names.mask
        self._id = encoder.vocabulary.special_id(self._name)

    def asked(self, parameters: Sequence[str]) -> list[bytes]:
        """The question to each text, as JSON with candidates by their ids.

        Raises:
            TextError: it is no such JSON, or a candidate is not one token.
        """
        return [self._asked(text, row) for row, text in enumerate(parameters)]

    def tensors(self, texts: Sequence[str], asked: Sequence[bytes]) -> Tensors:
        """The rows of one request.

        Raises:
            TextError: a text has no mask, or one that is not read; there are too many.
            TextError: a text would take too long.
        """
        rows = self._encoder.encode(texts)
        ends = np.cumsum(rows.lengths)
        places = np.flatnonzero(rows.input_ids == self._id)
        of_text = np.searchsorted(ends, places, side="right")
        self._check(texts, rows, np.bincount(of_text, minlength=len(texts)))
        made = self._repeated(rows, places, of_text)
        return {
            **made,
            TRUNCATED.name: rows.truncated[:, None],
            QUERY_ROW.name: of_text[:, None].astype(np.int32),
            ASKED.name: np.array([asked[text] for text in of_text], np.object_)[:, None],
        }

    def _repeated(self, rows: TokenizedRows, places: Int64, of_text: Int64) -> dict[str, Any]:
        """A row for each mask, int32 [masks, longest]."""
        ends = np.cumsum(rows.lengths)
        ids = np.full((len(places), int(rows.lengths.max())), self._encoder.pad_token_id, np.int32)
        for row, (place, text) in enumerate(zip(places, of_text, strict=True)):
            first = ends[text] - rows.lengths[text]
            own = rows.input_ids[first : ends[text]]
            ids[row, : len(own)] = np.where(own == self._id, self._other_id, own)
            ids[row, place - first] = self._id
        return {INPUT_IDS.name: ids, TOKEN_TYPE_IDS.name: np.zeros_like(ids)}

    def _check(self, texts: Sequence[str], rows: TokenizedRows, counts: Int64) -> None:
        for row, count in enumerate(counts.tolist()):
            spelled = texts[row].count(self._name)
            if not spelled:
                raise TextError(
                    f"row {row} of the input 'text' has no {self._name}; put one in each place to "
                    f"fill in"
                )
            if count < spelled and rows.truncated[row]:
                raise TextError(
                    f"row {row} of the input 'text' has {spelled} {self._name}, of which {count} "
                    f"in the {rows.lengths[row]} tokens that the model reads; shorten the text, or "
                    f"build with a larger --max-length"
                )
        if (total := int(counts.sum())) > self._most:
            raise TextError(
                f"the request has {total:,} {self._name}; expected at most {self._most:,}; send "
                f"fewer, or build with a larger --max-documents"
            )

    def _asked(self, text: str, row: int) -> bytes:
        where = f"row {row} of the input 'parameters'"
        try:
            given = json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError) as error:
            raise TextError(
                f"{where} is no JSON ({error}); expected an object, or nothing"
            ) from error
        if not isinstance(given, dict) or not given.keys() <= _KEYS:
            raise TextError(
                f"{where} is {text!r:.60}; expected an object with top_k and candidates"
            )
        count, words = given.get("top_k", DEFAULT_TOP_K), given.get("candidates")
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_TOKENS:
            raise TextError(f"{where}: top_k is {count!r:.40}; expected 1 to {MOST_TOKENS:,}")
        if words is None:
            return json.dumps({"top_k": count, "candidates": None}).encode("utf-8")
        is_list = isinstance(words, list) and all(isinstance(word, str) for word in words)
        if not is_list or not 1 <= len(words) <= MOST_TOKENS:
            raise TextError(
                f"{where}: candidates is {words!r:.40}; expected a list of 1 to {MOST_TOKENS:,} "
                f"tokens"
            )
        ids = [single_token(self._encoder, word, where) for word in words]
        count = given.get("top_k", len(ids))
        return json.dumps({"top_k": count, "candidates": ids}).encode("utf-8")


def single_token(encoder: TextEncoder, word: str, where: str) -> int:
    """The id of a candidate: a token as the vocabulary spells it, or a word of one token.

    Raises:
        TextError: it is unknown, or several tokens; the message begins with `where`.
    """
    known = encoder.vocabulary.ids.get(word)
    if known is not None:
        return known
    [tokens] = encoder.tokens_with_spans([word])
    ids: list[int] = tokens.ids.tolist()
    if len(ids) != 1 or ids[0] == encoder.unknown_id:
        found = "unknown to the vocabulary" if len(ids) == 1 else f"{len(ids)} tokens"
        raise TextError(
            f"{where}: the candidate {word!r:.40} is {found}; a "
            f"{encoder.vocabulary.rules.names.mask} stands for one token of the vocabulary"
        )
    return ids[0]
