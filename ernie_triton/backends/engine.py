"""Second stage on CPU: rows of token ids to the model's outputs, through one of our runtimes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ernie_triton.backends.stage import Stage, Tensors, rows_of
from ernie_triton.batch import join_rows, split_rows, split_tokens
from ernie_triton.engines import load_engine
from ernie_triton.errors import EngineError
from ernie_triton.pipeline import SHORTEST_TEXT_TOKENS
from ernie_triton.stage_settings import EngineSettings
from ernie_triton.tasks import LENGTHS, TOKEN_TENSORS, task_named

Int32 = npt.NDArray[np.int32]
_Rows: TypeAlias = tuple[Int32, Int32, Int32]


class TritonPythonModel(Stage[_Rows]):
    """Runs the requests of a batch, whatever their lengths, as one engine run."""

    inputs = (*(spec.name for spec in TOKEN_TENSORS), LENGTHS.name)

    def open(self, parameters: Mapping[str, str], folder: Path) -> None:
        """Compile the engine."""
        self._settings = EngineSettings.from_parameters(parameters)
        self._engine = load_engine(folder, self._settings)
        self._is_per_token = task_named(self._settings.task).is_per_token

    def read(self, tensors: Tensors) -> _Rows:
        """Check what would make the graph read outside its tables.

        Raises:
            EngineError: a length, a token id or a token type id is out of range.
        """
        ids, types, lengths = (tensors[name] for name in self.inputs)
        lengths = rows_of(lengths)
        longest = min(ids.shape[1], self._settings.max_length)
        _check_range("lengths", lengths, SHORTEST_TEXT_TOKENS, longest)
        _check_range("input_ids", ids, 0, self._settings.vocabulary_size - 1)
        _check_range("token_type_ids", types, 0, self._settings.token_types - 1)
        if types.shape != ids.shape:
            raise EngineError(
                f"token_type_ids has the shape {list(types.shape)} but input_ids {list(ids.shape)}"
            )
        return ids, types, lengths

    def run(self, items: Sequence[_Rows]) -> list[dict[str, npt.NDArray[np.float32]]]:
        """Pack the rows, run, and give each request its own."""
        outputs = self._engine.run(join_rows(items))
        if self._is_per_token:
            return split_tokens(outputs, [(lengths, ids.shape[1]) for ids, _, lengths in items])
        return split_rows(outputs, [len(lengths) for _, _, lengths in items])


def _check_range(name: str, values: Int32, least: int, most: int) -> None:
    if not values.size:
        raise EngineError(f"{name} is empty; expected at least {SHORTEST_TEXT_TOKENS} tokens")
    found_least, found_most = int(values.min()), int(values.max())
    if found_least < least or found_most > most:
        raise EngineError(
            f"{name} has values from {found_least} to {found_most}; expected {least} to {most}"
        )
