"""What stays is what scores most, in every layer or over all of them."""

import numpy as np
import pytest

from ernie_triton.errors import CheckpointError
from ernie_triton.training.compression.pruning.importance import Importance
from ernie_triton.training.compression.pruning.widths import Width, kept_parts


def importance(heads: list[list[float]], neurons: list[list[float]]) -> Importance:
    return Importance(
        heads=tuple(np.array(scores) for scores in heads),
        neurons=tuple(np.array(scores) for scores in neurons),
        hidden=np.ones(4),
    )


def kept(found: Importance, **width: object) -> list[tuple[list[int], list[int]]]:
    parts = kept_parts(found, Width(**width))  # type: ignore[arg-type]
    return [(part.heads.tolist(), part.neurons.tolist()) for part in parts]


def test_the_best_of_each_layer_stay_in_their_order() -> None:
    found = importance([[1, 4, 3, 2], [9, 8, 7, 6]], [[5, 1, 2, 6, 3, 4], [1, 1, 1, 1, 1, 2]])
    assert kept(found, share=0.5, multiple=1) == [([1, 2], [0, 3, 5]), ([0, 1], [0, 1, 5])]


def test_neurons_stay_in_whole_groups() -> None:
    neurons = [[float(place) for place in range(12)]]
    for share, count in ((0.75, 8), (0.9, 12), (0.3, 4), (0.01, 4)):
        found = kept(importance([[1.0]], neurons), share=share, multiple=4)
        assert found == [([0], list(range(12 - count, 12)))]


def test_over_all_layers_the_weak_layer_loses_more() -> None:
    # Divided by their norms (2, 2.0025 and so on) a layer of equals has no strong part.
    found = importance([[1, 1, 1, 1], [2, 0.1, 0, 0]], [[1, 1, 1, 1], [9, 0, 0, 0]])
    parts = kept(found, share=0.5, ranking="model", multiple=1)
    assert [len(heads) for heads, _ in parts] == [3, 1]
    assert [len(neurons) for _, neurons in parts] == [3, 1]
    assert parts[1] == ([0], [0])


def test_a_layer_never_loses_all_its_parts() -> None:
    found = importance([[5, 5], [0, 0], [0, 0]], [[5] * 4, [0] * 4, [0] * 4])
    parts = kept(found, share=0.34, ranking="model", multiple=2)
    assert parts == [([0], [0, 1])] * 3


@pytest.mark.parametrize("ranking", ["layer", "model"])
def test_the_whole_width_keeps_everything(ranking: str) -> None:
    found = importance([[1, 2, 3]], [[float(place) for place in range(21)]])
    assert kept(found, share=1.0, ranking=ranking) == [([0, 1, 2], list(range(21)))]


@pytest.mark.parametrize(
    ("width", "message"),
    [
        ({"share": 0.0}, "width is 0; expected the share that stays"),
        ({"share": 1.01}, "width is 1.01; expected"),
        ({"ranking": "global"}, "ranking is 'global'; expected layer or model"),
        ({"multiple": 0}, "multiple is 0; expected at least 1"),
    ],
)
def test_a_width_out_of_range_is_refused(width: dict[str, object], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        Width(**width)  # type: ignore[arg-type]
