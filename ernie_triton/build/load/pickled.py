"""Read pickles safely, as torch and Paddle write them: an unpickler, and nested dictionaries.

Nothing that a pickle names is ever run: a name is looked up in a table of stand-ins, or the pickle
is refused.
"""

import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from ernie_triton.errors import CheckpointError, UnsafePickleError

_DEEPEST = 3
_WORD_TABLE = "word_embeddings.weight"


class StandInUnpickler(pickle.Unpickler):
    """An unpickler that knows the names of one table, and storages by a given function."""

    def __init__(
        self,
        file: IO[bytes],
        stand_ins: Mapping[tuple[str, str], Any],
        storage: Callable[[tuple[Any, ...]], Any] | None = None,
    ) -> None:
        """Take the file, the table, and what makes a storage of its persistent id."""
        super().__init__(file)
        self._stand_ins = stand_ins
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        """Return the stand-in of a name.

        Raises:
            UnsafePickleError: there is none.
        """
        if (module, name) not in self._stand_ins:
            raise UnsafePickleError(
                f"asks for {module}.{name}; expected named arrays only; nothing in it was run"
            )
        return self._stand_ins[module, name]

    def persistent_load(self, pid: tuple[Any, ...]) -> Any:  # noqa: ANN401
        """Return the storage of an id."""
        if self._storage is None:
            raise UnsafePickleError("refers to another file; expected named arrays only")
        return self._storage(pid)


def named_arrays_in(content: object, is_array: Callable[[object], bool]) -> dict[str, Any]:
    """Find the arrays of a model by name in what was unpickled.

    Training programs save them at the top, or in a dictionary beside the epoch and the optimizer's
    state, as `model`, `state_dict`, `model_state_dict` or another key.

    Raises:
        CheckpointError: there are no named arrays, or several models.
    """
    if not isinstance(content, Mapping):
        raise CheckpointError(f"holds a {type(content).__name__}; expected named tensors")
    found = list(_models_in(content, is_array, "", _DEEPEST))
    if len(found) > 1:
        raise CheckpointError(
            f"holds {len(found)} models, under {', '.join(key for key, _ in found)}; save the one "
            f"to build alone"
        )
    arrays = found[0][1] if found else content
    return {
        str(name): value
        for name, value in arrays.items()
        if isinstance(name, str)
        if is_array(value)
    }


def _models_in(
    content: Mapping[Any, Any], is_array: Callable[[object], bool], key: str, depth: int
) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    names = (name for name, value in content.items() if is_array(value))
    if any(isinstance(name, str) and name.endswith(_WORD_TABLE) for name in names):
        yield key, content
        return
    for name, value in content.items():
        if isinstance(value, Mapping) and depth:
            inner = f"{key}.{name}" if key else str(name)
            yield from _models_in(value, is_array, inner, depth - 1)
