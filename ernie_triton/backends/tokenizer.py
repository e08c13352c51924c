"""First stage: UTF-8 texts, or pairs, to rows of token ids."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ernie_triton.backends.stage import Stage, Tensors, rows_of
from ernie_triton.encode import TextEncoder, TokenizedRows
from ernie_triton.errors import TextError
from ernie_triton.pipeline import TokenizerSettings
from ernie_triton.tasks import task_named
from ernie_triton.vocabulary import load_vocabulary

VOCABULARY_FILE = "vocab.txt"


class TritonPythonModel(Stage[tuple[list[str], ...]]):
    """Tokenises all texts of a batch of requests in one call; an item is a request's columns."""

    def open(self, parameters: Mapping[str, str], folder: Path) -> None:
        """Load the vocabulary."""
        settings = TokenizerSettings.from_parameters(parameters)
        texts = task_named(settings.task).text_inputs(pair=settings.pair)
        self.inputs = tuple(spec.name for spec in texts)
        self._encoder = TextEncoder(
            load_vocabulary(folder / VOCABULARY_FILE),
            max_length=settings.max_length,
            lower_case=settings.lower_case,
        )

    def read(self, tensors: Tensors) -> tuple[list[str], ...]:
        """Decode the request's texts.

        Raises:
            TextError: one is not UTF-8.
        """
        return tuple(
            [_decoded(text, name, row) for row, text in enumerate(rows_of(tensor))]
            for name, tensor in tensors.items()
        )

    def run(self, items: Sequence[tuple[list[str], ...]]) -> list[Tensors]:
        """Tokenise; rows of one request are padded to its longest."""
        columns = [
            [text for column in columns for text in column] for columns in zip(*items, strict=True)
        ]
        tokenized = self._encoder.encode(*columns)
        answers: list[Tensors] = []
        token = row = 0
        for item in items:
            lengths = tokenized.lengths[row : row + len(item[0])]
            tokens = int(lengths.sum())
            answers.append(
                {
                    **self._rectangles(tokenized, lengths, slice(token, token + tokens)),
                    "lengths": lengths[:, None],
                    "truncated": tokenized.truncated[row : row + len(lengths), None],
                }
            )
            token, row = token + tokens, row + len(lengths)
        return answers

    def _rectangles(
        self, tokenized: TokenizedRows, lengths: npt.NDArray[np.int32], tokens: slice
    ) -> dict[str, npt.NDArray[np.int32]]:
        flat = {
            "input_ids": (tokenized.input_ids[tokens], self._encoder.pad_token_id),
            "token_type_ids": (tokenized.token_type_ids[tokens], 0),
        }
        if len(lengths) == 1:
            return {name: values[None] for name, (values, _) in flat.items()}
        real = np.arange(lengths.max()) < lengths[:, None]
        rectangles = {}
        for name, (values, filler) in flat.items():
            rectangles[name] = np.full(real.shape, filler, np.int32)
            rectangles[name][real] = values
        return rectangles


def _decoded(text: Any, name: str, row: int) -> str:  # noqa: ANN401
    try:
        return bytes(text).decode("utf-8")
    except UnicodeDecodeError as error:
        raise TextError(
            f"row {row} of the input {name!r} is not UTF-8: byte 0x{text[error.start]:02x} at "
            f"offset {error.start}; send UTF-8 text"
        ) from error
