"""Tokens that a pipeline makes of texts, for callers who want to see or count them.

A first stage answers this to requests that ask for nothing else; they never reach an engine.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Int32, Tensors
from ernie_triton.errors import TextError
from ernie_triton.settings import TokenizerSettings
from ernie_triton.stages.texts import decoded_text
from ernie_triton.tasks import TOKEN_COUNT, TOKENIZATION, Task, task_named
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.long_texts import SHORT_TEXT_CHARACTERS_PER_TOKEN
from ernie_triton.tokenizer.windows import Window, WindowEncoder, WindowRules


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """The part of one row's texts that the model reads.

    Attributes:
        count: tokens of all its rows of the model, special ones included.
        kept: leading tokens of each text that are read.
        windows: first and last token, excluded, of each window of the last text.
    """

    count: int
    kept: list[int]
    windows: list[tuple[int, int]]


class Tokenization:
    """Tokens of texts as a pipeline reads them."""

    def __init__(self, settings: TokenizerSettings, encoder: TextEncoder) -> None:
        """Use a tokenizer that was made for these settings."""
        self._settings = settings
        self._task: Task = task_named(settings.task)
        self._encoder = encoder
        self._names: list[str] = []
        rules = WindowRules(
            max_length=settings.max_length,
            overlap=settings.overlap,
            max_windows=settings.max_windows,
        )
        self._windows = WindowEncoder(encoder, rules)

    def answer(self, given: Tensors, *, counts_alone: bool) -> Tensors:
        """The tokens of a request's texts.

        Args:
            given: the request's texts by input.
            counts_alone: leave all but the counts out.

        Returns:
            `tokenization`, JSON of each row, and `token_count`, int32; both [rows, 1].

        Raises:
            TextError: a text is not UTF-8, or the request has too much text, or several documents
                for a query.
        """
        columns = self._columns(given)
        read = self._read(columns)
        counts = np.array([[one.count] for one in read], np.int32)
        tensors: Tensors = {TOKEN_COUNT.name: counts}
        if counts_alone:
            return tensors
        tokens = [self._tokens(column) for column in columns]
        cells = [
            json.dumps(self._described(one, texts), ensure_ascii=False).encode("utf-8")
            for one, *texts in zip(read, *tokens, strict=True)
        ]
        return {**tensors, TOKENIZATION.name: np.array(cells, np.object_).reshape(-1, 1)}

    def _columns(self, given: Tensors) -> list[list[str]]:
        most_bytes = self._settings.max_text_bytes
        columns = [
            [decoded_text(text, name, row, most_bytes) for row, text in enumerate(tensor.flat)]
            for name, tensor in given.items()
        ]
        if self._task.is_asked:  # the schema or the parameters are no text to the model
            del columns[1:]
        if len({len(column) for column in columns}) > 1:
            raise TextError(
                f"tokens are shown of one of the {self._task.list_input} for each row; send one"
            )
        settings = self._settings
        most = settings.max_windows * settings.max_length * SHORT_TEXT_CHARACTERS_PER_TOKEN
        found = sum(len(text) for column in columns for text in column)
        if found > most:
            raise TextError(
                f"the request has {found:,} characters of text; expected at most {most:,}; "
                "send it in parts"
            )
        return columns

    def _read(self, columns: Sequence[Sequence[str]]) -> list[_Read]:
        if self._task.asks_again:  # windows depend on each prompt
            counts = [len(ids) for ids, _ in self._tokens(columns[0])]
            return [_Read(count=count, kept=[count], windows=[]) for count in counts]
        if not self._task.has_windows:
            return self._cut(columns)
        *questions, texts = columns
        by_row: list[list[Window]] = [[] for _ in texts]
        for window in self._windows.encode(texts, questions[0] if questions else None):
            by_row[window.item].append(window)
        specials = 2 + len(self._encoder.between_ids)
        return [_windowed(windows, len(columns), specials) for windows in by_row]

    def _cut(self, columns: Sequence[Sequence[str]]) -> list[_Read]:
        """The texts of tasks that read the beginning alone."""
        rows = self._encoder.encode(*columns)
        before = [self._settings.prompt] if self._settings.prompt and len(columns) == 1 else []
        prompt = sum(len(tokens.ids) for tokens in self._encoder.tokens_with_spans(before))
        kept = rows.kept.copy()
        kept[:, 0] = np.maximum(kept[:, 0] - prompt, 0)
        if kept.shape[1] < len(columns):
            kept = self._kept_apart(kept, columns[1])
        return [
            _Read(count=count, kept=own, windows=[])
            for count, own in zip(rows.lengths.tolist(), kept.tolist(), strict=True)
        ]

    def _tokens(self, texts: Sequence[str]) -> list[tuple[Int32, Int32]]:
        """Ids and places, int32 [tokens, 2], of whole texts, which are tokenised as spelled."""
        spelled = [text.lower() for text in texts] if self._settings.lower_texts else texts
        made = self._encoder.tokens_with_spans(spelled)
        return [
            (tokens.ids, _places(text, lowered, tokens.spans))
            for text, lowered, tokens in zip(texts, spelled, made, strict=True)
        ]

    def _kept_apart(self, kept: Int32, second: Sequence[str]) -> Int32:
        """Share the tokens kept of two joined texts of a row out among them."""
        counts = np.array([len(ids) for ids, _ in self._tokens(second)], np.int32)
        first = np.minimum(kept[:, 1], counts)
        return np.stack([kept[:, 0], first, kept[:, 1] - first], axis=1)

    def _described(self, read: _Read, texts: Sequence[tuple[Int32, Int32]]) -> dict[str, object]:
        lengths = [len(ids) for ids, _ in texts]
        return {
            "count": read.count,
            "truncated": any(
                kept < length for kept, length in zip(read.kept, lengths, strict=True)
            ),
            "texts": [
                {
                    "ids": ids.tolist(),
                    "tokens": [self._name(one) for one in ids.tolist()],
                    "offsets": places.tolist(),
                    "read": min(kept, len(ids)),
                }
                for kept, (ids, places) in zip(read.kept, texts, strict=True)
            ],
            "windows": read.windows,
        }

    def _name(self, token_id: int) -> str:
        if not self._names:
            self._names = self._encoder.vocabulary.names()
        return self._names[token_id]


def _windowed(windows: Sequence[Window], texts: int, specials: int) -> _Read:
    """The windows of one text, with its question before each where there are two texts."""
    bounds, asked = [], 0
    for window in windows:
        own = int(np.count_nonzero(window.spans[:, 0] >= 0))
        asked = len(window.input_ids) - own - specials
        bounds.append((window.first_token, window.first_token + own))
    kept = [asked, bounds[-1][1]] if texts > 1 else [bounds[-1][1]]
    count = sum(len(window.input_ids) for window in windows)
    return _Read(count=count, kept=kept, windows=bounds)


def _places(text: str, lowered: str, spans: Int32) -> Int32:
    """The first and the last place, excluded, in a text of spans in its lower case."""
    if len(text) == len(lowered):
        return spans[:, :2]
    # One character may become several.
    each = [place for place, character in enumerate(text) for _ in character.lower()]
    origin = np.array([*each, len(text)], np.int32)
    return np.stack([origin[spans[:, 0]], origin[spans[:, 1] - 1] + 1], axis=1)
