"""Weights of one shape into weights of another: what both have is copied, the rest is new.

`places` say for each feature of the new side which of the old side's it is, or `NEW`.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from ernie_triton.arrays import Float64
from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.training.compression.pruning.widths import Indices

if TYPE_CHECKING:
    from torch import Tensor

NEW = -1


def places_of(importance: Float64, count: int) -> Indices:
    """The `count` most important, in their order; after all of them, new ones.

    Args:
        importance: of the old side's features, float64.
        count: features of the new side.
    """
    old = len(importance)
    best = np.sort(np.argsort(-importance, kind="stable")[:count])
    return np.concatenate([best, np.full(max(0, count - old), NEW)])


def places_of_heads(importance: Float64, old_size: int, heads: int, size: int) -> Indices:
    """The places of attention features, head after head.

    Heads of the same size are taken whole, the most important ones. As many heads of another size
    are cut or widened each by itself. Where both differ the features are taken as they stand side
    by side.

    Args:
        importance: of the old side's heads, float64 [old heads].
        old_size: features of each of them.
        heads: of the new side.
        size: features of each of those.
    """
    old_heads = len(importance)
    if old_size == size:
        chosen = places_of(importance, heads)
    elif old_heads == heads:
        chosen = np.arange(heads)
    else:
        flat = np.arange(heads * size)
        return np.where(flat < old_heads * old_size, flat, NEW)
    inside = np.arange(size)
    known = (chosen[:, None] != NEW) & (inside < old_size)
    return np.where(known, chosen[:, None] * old_size + inside, NEW).reshape(-1)


def copy_linear(new: Any, old: Any, outputs: Indices, inputs: Indices) -> None:  # noqa: ANN401
    """Fill a linear layer: weights [outputs, inputs] and bias."""
    copy_table(new.weight, old.weight, outputs, inputs)
    _copy_vector(new.bias, old.bias, outputs)


def copy_norm(new: Any, old: Any, features: Indices) -> None:  # noqa: ANN401
    """Fill a normalisation: scale and bias."""
    _copy_vector(new.weight, old.weight, features)
    _copy_vector(new.bias, old.bias, features)


def copy_table(new: "Tensor", old: "Tensor", rows: Indices, columns: Indices) -> None:
    """Fill a matrix, in place.

    New rows keep the random weights that they have. In a known row the new columns become 0, so
    that it goes on giving what it gave: what they bring is learned (Net2Net,
    arxiv.org/abs/1511.05641, starts wider layers without changing the function too).
    """
    torch = import_torch()
    known_rows, known_columns = rows != NEW, columns != NEW
    filled = new.detach().clone()
    filled[torch.from_numpy(known_rows)] = 0.0
    both = np.ix_(np.flatnonzero(known_rows), np.flatnonzero(known_columns))
    source = np.ix_(rows[known_rows], columns[known_columns])
    filled[_index(both)] = old.detach()[_index(source)]
    with torch.no_grad():
        new.copy_(filled)


def _copy_vector(new: "Tensor", old: "Tensor", places: Indices) -> None:
    torch = import_torch()
    known = places != NEW
    with torch.no_grad():
        new[torch.from_numpy(known)] = old[torch.from_numpy(places[known])]


def _index(both: Any) -> Any:  # noqa: ANN401
    torch = import_torch()
    return tuple(torch.from_numpy(part) for part in both)
