"""Texts of any length to rows of tokens: overlapping windows, each with its place in the text.

Used by tasks whose answers are places in a text. A text that fits is one window. The postprocess
stage gets each window's place with it, and puts the text together again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Int32
from ernie_triton.errors import TextError
from ernie_triton.tasks import NO_SPAN
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.long_texts import SHORT_TEXT_CHARACTERS_PER_TOKEN
from ernie_triton.tokenizer.token_rows import TextTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRules:
    """Rules for covering a text.

    Attributes:
        max_length: most tokens of a window, special tokens and question included.
        overlap: tokens that neighbouring windows share.
        max_windows: most windows of one request; one that needs more is refused.
    """

    max_length: int
    overlap: int
    max_windows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One row of tokens, with their places in the text.

    Attributes:
        input_ids: int32 [tokens], special tokens included.
        token_type_ids: int32 [tokens].
        spans: int32 [tokens, 3], as in `TextTokens`; NO_SPAN for tokens outside the text.
        item: the text's place in its request.
        first_token: the first of the text's tokens that this window holds.
        source: the text in its first window, empty in the others.
    """

    input_ids: Int32
    token_type_ids: Int32
    spans: Int32
    item: int
    first_token: int
    source: str


class WindowEncoder:
    """Cover texts, or contexts with their questions, by windows."""

    def __init__(self, encoder: TextEncoder, rules: WindowRules) -> None:
        """Keep the tokenizer and the rules."""
        self._encoder = encoder
        self._rules = rules
        self._separator = np.array([encoder.separate_id], np.int32)

    def encode(self, texts: Sequence[str], questions: Sequence[str] | None = None) -> list[Window]:
        """The windows of one request, text by text.

        Args:
            texts: to cover; answers are places in these.
            questions: one for each text, put before each of its windows, at most half a window.

        Raises:
            TextError: the request needs more windows than allowed.
        """
        characters = sum(map(len, texts))
        most = self._rules.max_windows * self._rules.max_length * SHORT_TEXT_CHARACTERS_PER_TOKEN
        if characters > most:
            raise TextError(
                f"the request has {characters:,} characters of text; expected at most {most:,}; "
                f"send it in parts"
            )
        readable = self._rules.max_length * SHORT_TEXT_CHARACTERS_PER_TOKEN
        covered = self._encoder.tokens_with_spans(texts)
        asked = self._encoder.tokens_with_spans(
            [question[:readable] for question in questions or ()]
        )
        windows: list[Window] = []
        for item, (text, tokens) in enumerate(zip(texts, covered, strict=True)):
            question = asked[item].ids if questions is not None else None
            windows.extend(self._windows(item, text, tokens, question))
        if len(windows) > self._rules.max_windows:
            raise TextError(
                f"the request needs {len(windows)} windows of {self._rules.max_length} tokens; "
                f"at most {self._rules.max_windows} are allowed; send fewer or shorter texts"
            )
        return windows

    def _windows(
        self, item: int, text: str, tokens: TextTokens, question: Int32 | None
    ) -> list[Window]:
        head = np.array([self._encoder.classify_id], np.int32)
        if question is not None:
            asked = question[: self._rules.max_length // 2]
            head = np.concatenate([head, asked, self._encoder.between_ids])
        room = self._rules.max_length - len(head) - 1
        # A long question may leave less room than windows should share.
        overlap = self._rules.overlap if self._rules.overlap < room else room // 2
        count = len(tokens.ids)
        starts = range(0, count - overlap, room - overlap) if count > room else range(1)
        windows = []
        for start in starts:
            part = slice(start, min(start + room, count))
            ids = np.concatenate([head, tokens.ids[part], self._separator])
            spans = np.full((len(ids), 3), NO_SPAN, np.int32)
            spans[len(head) : len(ids) - 1] = tokens.spans[part]
            types = np.zeros(len(ids), np.int32)
            if question is not None:
                types[len(head) :] = self._encoder.second_type
            windows.append(
                Window(
                    input_ids=ids,
                    token_type_ids=types,
                    spans=spans,
                    item=item,
                    first_token=start,
                    source=text if start == 0 else "",
                )
            )
        return windows


def window_tensors(windows: Sequence[Window], pad_token_id: int) -> dict[str, npt.NDArray]:  # type: ignore[type-arg]
    """The tokenizer stage's output tensors for one request; rows are padded to its longest."""
    rows = len(windows)
    longest = max(len(window.input_ids) for window in windows)
    input_ids = np.full((rows, longest), pad_token_id, np.int32)
    token_type_ids = np.zeros((rows, longest), np.int32)
    spans = np.full((rows, longest, 3), NO_SPAN, np.int32)
    for row, window in enumerate(windows):
        length = len(window.input_ids)
        input_ids[row, :length] = window.input_ids
        token_type_ids[row, :length] = window.token_type_ids
        spans[row, :length] = window.spans
    places = [(window.item, window.first_token) for window in windows]
    return {
        "input_ids": input_ids,
        "token_type_ids": token_type_ids,
        "spans": spans,
        "window": np.array(places, np.int32),
        "source": np.array([[window.source.encode("utf-8")] for window in windows], np.object_),
    }
