"""Documents get the score of the label that ranks, and an order."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ernie_triton.arrays import Array
from ernie_triton.decoders.ranks import RankDecoder, RankSettings
from ernie_triton.errors import LabelCountError, PipelineError


def decoder(*, labels: int = 1, ranked: int = 0, activation: str = "identity") -> RankDecoder:
    settings = RankSettings(task="rerank", labels=labels, ranked=ranked, activation=activation)
    return RankDecoder(settings.to_parameters(), [str(place) for place in range(labels)])


def ranked(made: RankDecoder, *requests: tuple[Array, list[int]]) -> list[dict[str, Array]]:
    """The answers to requests of logits, and the query of each of their rows."""
    return made.run(
        [
            made.read({"logits": logits, "query_row": np.array(rows, np.int32)[:, None]})
            for logits, rows in requests
        ]
    )


def logits(*rows: float) -> Array:
    return np.array(rows, np.float32)[:, None]


def test_each_request_keeps_its_own_documents_with_equal_scores_as_they_came() -> None:
    first, second = ranked(decoder(), (logits(-1.5, 2.0, -1.5, 7.0), [0] * 4), (logits(3.0), [0]))
    assert first["scores"].tolist() == [[-1.5, 2.0, -1.5, 7.0]]
    assert first["order"].tolist() == [[3, 1, 0, 2]]
    assert first["scores"].dtype == np.float32
    assert first["order"].dtype == np.int64
    assert (second["scores"].tolist(), second["order"].tolist()) == ([[3.0]], [[0]])


def test_several_queries_of_a_request_are_ranked_apart() -> None:
    [found] = ranked(decoder(), (logits(1, 2, 3, 9, 8, 7), [0, 0, 0, 1, 1, 1]))
    assert found["scores"].tolist() == [[1, 2, 3], [9, 8, 7]]
    assert found["order"].tolist() == [[2, 1, 0], [0, 1, 2]]


@pytest.mark.parametrize(
    ("activation", "function"),
    [("sigmoid", torch.sigmoid), ("softmax", lambda values: values.softmax(-1))],
)
def test_the_score_of_the_label_that_ranks_goes_through_the_activation(
    activation: str, function: object
) -> None:
    given = np.random.default_rng(0).normal(scale=3, size=(5, 3)).astype(np.float32)
    [found] = ranked(decoder(labels=3, ranked=2, activation=activation), (given, [0] * 5))
    expected = function(torch.from_numpy(given))[:, 2].numpy()  # type: ignore[operator]
    np.testing.assert_allclose(found["scores"][0], expected, atol=1e-6)
    assert found["order"][0].tolist() == np.argsort(-expected).tolist()


def test_an_engine_of_other_labels_and_settings_of_another_version_are_refused() -> None:
    with pytest.raises(LabelCountError):
        ranked(decoder(labels=2), (logits(1.0), [0]))
    for bad in ({"ranked": 1}, {"activation": "tanh"}):
        with pytest.raises(PipelineError, match="rebuild the pipeline"):
            decoder(**bad)
