"""Copy weights of one shape into weights of another, as far as both have them.

`places` name for each feature of the new side the same feature of the old side, or `NEW`.
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
    """Choose the `count` most important features, in order; fill up with `NEW`.

    Args:
        importance: of the old side's features, float64 [old features].
        count: number of features of the new side.
    """
    old = len(importance)
    best = np.sort(np.argsort(-importance, kind="stable")[:count])
    return np.concatenate([best, np.full(max(0, count - old), NEW)])


def places_of_heads(importance: Float64, old_size: int, heads: int, size: int) -> Indices:
    """Choose the places of attention features, head after head.

    For heads of the same size, the most important ones are taken whole. For the same number of
    heads, each is cut or widened by itself. If number and size differ, features are taken in order.

    Args:
        importance: of the old side's heads, float64 [old heads].
        old_size: features of an old head.
        heads: number of heads of the new side.
        size: features of a new head.
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

    New rows keep their random weights. In a copied row the new columns become 0, so that its output
    does not change (as in Net2Net, arxiv.org/abs/1511.05641); training then fills them.
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
