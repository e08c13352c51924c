"""The rules by which a SentencePiece model normalises characters, from its `precompiled_charsmap`.

That is the size of a double-array trie in bytes, the trie, and the replacements, each ended by a
zero byte (github.com/google/sentencepiece, `src/normalizer.cc`; the units of the trie are those of
github.com/s-yata/darts-clone, `include/darts.h`).
"""

import numpy as np
import numpy.typing as npt

from ernie_triton.errors import CheckpointError

_Units = npt.NDArray[np.uint32]
_LABEL = np.uint32(0x800000FF)
_VALUE = np.uint32(0x7FFFFFFF)


def character_rules(charsmap: bytes, where: str) -> dict[str, str]:
    """Return the replacement of each character or sequence of characters; empty without a map.

    Raises:
        CheckpointError: the map is damaged.
    """
    if not charsmap:
        return {}
    size = int.from_bytes(charsmap[:4], "little")
    if size % 4 or not size or len(charsmap) < 4 + size:
        raise CheckpointError(f"{where} has damaged rules of normalisation; fetch it again")
    units = np.frombuffer(charsmap[4 : 4 + size], "<u4")
    replacements = charsmap[4 + size :]
    try:
        return {
            key.decode("utf-8"): replacements[start : replacements.index(0, start)].decode("utf-8")
            for key, start in _keys(units)
        }
    except (IndexError, ValueError) as error:
        raise CheckpointError(
            f"{where} has damaged rules of normalisation ({error}); fetch it again"
        ) from error


def _keys(units: _Units) -> list[tuple[bytes, int]]:
    """All keys of the trie with their values, level by level."""
    found: list[tuple[bytes, int]] = []
    labels = np.arange(1, 256, dtype=np.uint32)
    nodes, spelled = np.array([_offset(units[:1])[0]], np.uint32), [b""]
    while spelled:
        places = nodes[:, None] ^ labels
        inside = places < len(units)
        unit = units[np.where(inside, places, 0)]
        rows, columns = np.nonzero(inside & ((unit & _LABEL) == labels))
        taken = unit[rows, columns]
        spelled = [
            spelled[row] + bytes((label + 1,))
            for row, label in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
        nodes = places[rows, columns] ^ _offset(taken)
        leaves = np.flatnonzero((taken >> np.uint32(8)) & np.uint32(1))
        values = units[nodes[leaves]] & _VALUE
        found.extend(
            (spelled[leaf], value)
            for leaf, value in zip(leaves.tolist(), values.tolist(), strict=True)
        )
    return found


def _offset(units: _Units) -> _Units:
    """The offset in each unit, to its children."""
    shift = (units & np.uint32(1 << 9)) >> np.uint32(6)
    return np.asarray((units >> np.uint32(10)) << shift, np.uint32)
