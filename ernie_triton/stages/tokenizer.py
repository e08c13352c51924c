"""First stage: UTF-8 texts, or pairs, to rows of token ids."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ernie_triton.arrays import Array, Tensors
from ernie_triton.settings import TokenizerSettings
from ernie_triton.stages.documents import check_documents, document_rows, with_document_rows
from ernie_triton.stages.masks import MaskRows
from ernie_triton.stages.stage import Stage
from ernie_triton.stages.texts import decoded_text
from ernie_triton.stages.tokenization import Tokenization
from ernie_triton.tasks import (
    INPUT_IDS,
    NO_TOKEN,
    ROW_TOKENS,
    TOKEN_TYPE_IDS,
    WEIGHTED_IDS,
    task_named,
)
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.rules import TokenRules
from ernie_triton.tokenizer.token_rows import LengthBuckets, TokenizedRows
from ernie_triton.tokenizer.vocabulary import stage_vocabulary
from ernie_triton.tokenizer.windows import WindowEncoder, WindowRules, window_tensors


class TokenizerStage(Stage[tuple[list[str], ...]]):
    """Tokenises a batch of requests; an item is a request's columns of texts.

    Texts that are cut are tokenised in one call for the whole batch. Texts that are covered by
    windows, which give many rows anyway, are tokenised request by request.
    """

    def __init__(self, settings: TokenizerSettings, encoder: TextEncoder) -> None:
        """Use a tokenizer that was made for these settings."""
        self.task = task_named(settings.task)
        self.inputs = tuple(spec.name for spec in self.task.text_inputs(pair=settings.pair))
        self._is_pair = settings.pair
        self._max_text_bytes = settings.max_text_bytes
        self._max_documents = settings.max_documents
        self._encoder = encoder
        self._buckets = LengthBuckets(
            bucket=settings.length_bucket,
            max_length=settings.max_length,
            pad_token_id=encoder.pad_token_id,
        )
        rules = WindowRules(
            max_length=settings.max_length,
            overlap=settings.overlap,
            max_windows=settings.max_windows,
        )
        self._windows = WindowEncoder(encoder, rules)
        self.tokenization = Tokenization(settings, encoder)
        self._masks = MaskRows(settings, encoder) if self.task.head == "masked" else None
        self._last: Sequence[Tensors] = ()

    @classmethod
    def open(cls, parameters: Mapping[str, str], folder: Path) -> "TokenizerStage":
        """Load the vocabulary in a version's folder.

        Raises:
            PipelineError: a parameter is missing or wrong.
            VocabularyError: the vocabulary is missing or damaged.
        """
        settings = TokenizerSettings.from_parameters(parameters)
        return cls(settings, text_encoder(settings, folder))

    def read(self, tensors: Tensors) -> tuple[list[str], ...]:
        """Decode the request's texts.

        Raises:
            TextError: a text is not UTF-8, or too long; there are no documents, or too many.
        """
        if self.task.list_input:
            check_documents(self.task, tensors[self.task.list_input], self._max_documents)
        return tuple(
            [
                decoded_text(text, name, row, self._max_text_bytes)
                for row, text in enumerate(tensor.reshape(-1).tolist())
            ]
            for name, tensor in tensors.items()
        )

    def run(self, items: Sequence[tuple[list[str], ...]]) -> Sequence[Tensors]:
        """Tokenise; rows of one request are padded to its longest, or to the bucket of that.

        Raises:
            TextError: a request needs more windows than allowed, or a text would take too long.
        """
        if self._masks is not None:
            self._last = [
                self._sent({**self._masks.tensors(texts, self._masks.asked(asked))})
                for texts, asked in items
            ]
            return self._last
        if self.task.has_windows:
            self._last = [self._window_tensors(columns) for columns in items]
            return self._last
        queries = [len(item[0]) for item in items]
        if self.task.list_input:
            items = [document_rows(*columns) for columns in items]
        tokenized, rows = self.rows(items)
        requests = tokenized.by_request(rows, self._encoder.pad_token_id)
        self._last = [self._sent(tensors) for tensors in requests]
        if self.task.list_input:
            self._last = [*map(with_document_rows, self._last, queries)]
        if WEIGHTED_IDS in self.task.row_tensors:
            self._last = [*map(self._with_weighted_ids, self._last)]
        elif ROW_TOKENS in self.task.row_tensors:
            self._last = [*map(self._with_row_tokens, self._last)]
        return self._last

    def rows(self, items: Sequence[tuple[list[str], ...]]) -> tuple[TokenizedRows, list[int]]:
        """The rows of a batch whose texts, or pairs of them, are a row each, and each request's.

        Raises:
            TextError: a text would take too long.
        """
        columns = [[text for part in parts for text in part] for parts in zip(*items, strict=True)]
        return self._encoder.encode(*columns), [len(item[0]) for item in items]

    def token_counts(self) -> list[int]:
        """Count the tokens of each request that ran last, without padding."""
        pad = self._encoder.pad_token_id
        return [int(np.count_nonzero(tensors[INPUT_IDS.name] != pad)) for tensors in self._last]

    def _window_tensors(self, columns: tuple[list[str], ...]) -> Tensors:
        *questions, texts = columns
        windows = self._windows.encode(texts, questions[0] if questions else None)
        return self._sent(window_tensors(windows, self._encoder.pad_token_id))

    def _with_weighted_ids(self, tensors: Tensors) -> Tensors:
        ids, encoder = tensors[INPUT_IDS.name], self._encoder
        special = (encoder.classify_id, encoder.separate_id)
        without = np.isin(ids, (*special, encoder.pad_token_id, encoder.unknown_id))
        return {**tensors, WEIGHTED_IDS.name: np.where(without, np.int32(NO_TOKEN), ids)}

    def _with_row_tokens(self, tensors: Tensors) -> Tensors:
        is_token = tensors[INPUT_IDS.name] != self._encoder.pad_token_id
        return {**tensors, ROW_TOKENS.name: is_token.sum(axis=1, dtype=np.int32)[:, None]}

    def _sent(self, tensors: dict[str, Array]) -> Tensors:
        """The tensors of a request that the next stages take."""
        if not self._is_pair:
            del tensors[TOKEN_TYPE_IDS.name]
        return self._buckets.padded(tensors)


def text_encoder(settings: TokenizerSettings, folder: Path) -> TextEncoder:
    """The tokenizer of a stage, with the vocabulary in its version's folder.

    Raises:
        VocabularyError: the vocabulary is missing or damaged.
    """
    return TextEncoder(
        stage_vocabulary(folder, TokenRules.from_text(settings.rules)),
        max_length=settings.max_length,
        lower_case=settings.lower_case,
        tokenize_chinese_chars=settings.tokenize_chinese_chars,
        prompt=settings.prompt,
        lower_texts=settings.lower_texts,
    )
