"""Choose the heads and neurons that stay: the most important of each layer or of the model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Float64
from ernie_triton.build.torch_models.layer_widths import LayerWidth
from ernie_triton.errors import CheckpointError
from ernie_triton.training.compression.pruning.importance import Importance

Indices = npt.NDArray[np.int64]

NEURON_MULTIPLE = 16
"""Size of the groups in which neurons are kept; it suits vector units and tensor cores."""

RANKINGS = ("layer", "model")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """Places of one layer's heads and neurons that stay, ascending, int64."""

    heads: Indices
    neurons: Indices

    @property
    def width(self) -> LayerWidth:
        """Number of heads and neurons."""
        return LayerWidth(heads=len(self.heads), feed_forward=len(self.neurons))


@dataclass(frozen=True, slots=True, kw_only=True)
class Width:
    """Share of a model that stays.

    Attributes:
        share: share of heads and of neurons that stays, above 0 and at most 1.
        ranking: `layer` keeps this share in every layer; `model` ranks the parts of all layers
            together, so that layers end with different widths.
        multiple: size of the groups in which neurons are kept.
    """

    share: float = 0.75
    ranking: str = "layer"
    multiple: int = NEURON_MULTIPLE

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise CheckpointError(
                f"width is {self.share:g}; expected the share that stays, above 0 and at most 1"
            )
        if self.ranking not in RANKINGS:
            raise CheckpointError(f"ranking is {self.ranking!r}; expected {' or '.join(RANKINGS)}")
        if self.multiple < 1:
            raise CheckpointError(f"multiple is {self.multiple}; expected at least 1 neuron")


def kept_parts(importance: Importance, width: Width) -> tuple[Kept, ...]:
    """Choose what stays of every layer: at least one head and one group of neurons."""
    if width.ranking == "layer":
        heads = [_best(scores, width.share, 1) for scores in importance.heads]
        neurons = [_best(scores, width.share, width.multiple) for scores in importance.neurons]
    else:
        heads = _best_of_all(importance.heads, width.share, 1)
        neurons = _best_of_all(importance.neurons, width.share, width.multiple)
    return tuple(
        Kept(heads=some, neurons=others) for some, others in zip(heads, neurons, strict=True)
    )


def _best(scores: Float64, share: float, multiple: int) -> Indices:
    """Choose the most important, up to the share, in whole groups."""
    if share == 1:
        return np.arange(len(scores))
    groups = max(1, round(share * len(scores) / multiple))
    return _leading(scores, groups * multiple)


def _best_of_all(layers: Sequence[Float64], share: float, multiple: int) -> list[Indices]:
    """Choose the most important of all layers together.

    A layer's scores are first divided by their norm, since gradients differ in size from layer to
    layer (Molchanov et al. 2017, arxiv.org/abs/1611.06440, section 2.2). A layer's neurons are
    grouped in the order of their importance, and whole groups compete.
    """
    if share == 1:
        return [np.arange(len(scores)) for scores in layers]
    ranked: list[tuple[float, int]] = []
    for index, scores in enumerate(layers):
        norm = float(np.linalg.norm(scores)) or 1.0
        ordered = np.sort(scores)[::-1] / norm
        groups = range(0, len(scores), multiple)
        # The first group of every layer always stays.
        ranked += [
            (float(ordered[at : at + multiple].sum()) if at else np.inf, index) for at in groups
        ]
    total = max(len(layers), round(share * sum(map(len, layers)) / multiple))
    best = sorted(ranked, key=lambda group: -group[0])[:total]
    counts = np.bincount([index for _, index in best], minlength=len(layers)) * multiple
    return [_leading(scores, int(count)) for scores, count in zip(layers, counts, strict=True)]


def _leading(scores: Float64, count: int) -> Indices:
    """Return the places of the `count` highest scores, ascending; of equals the first."""
    return np.sort(np.argsort(-scores, kind="stable")[:count])
