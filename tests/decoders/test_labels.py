"""Logits become labels and probabilities as PyTorch has them; label files are checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ernie_triton.arrays import Float32
from ernie_triton.decoders.labels import (
    LabelDecoder,
    LabelSettings,
    check_label_count,
    check_labels,
    load_labels,
    score_labels,
    sigmoid,
    softmax,
)
from ernie_triton.errors import LabelCountError

finite_logits = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=8),
    elements=st.floats(-(2.0**126), 2.0**126, width=32, allow_subnormal=False),
)


def test_a_hand_worked_row_has_its_probabilities() -> None:
    # exp(0), exp(ln 2), exp(ln 5) are 1, 2, 5 of 8.
    decided = score_labels(np.log(np.array([[1, 2, 5]], np.float32)))
    np.testing.assert_allclose(decided.scores, [[0.125, 0.25, 0.625]], rtol=1e-6)
    assert decided.label.tolist() == [2]
    assert decided.confidence.tolist() == pytest.approx([0.625])


@given(logits=finite_logits)
def test_scores_are_pytorchs_and_finite_for_any_finite_logits(logits: Float32) -> None:
    decided = score_labels(logits)
    expected = torch.softmax(torch.from_numpy(logits.astype(np.float64)), dim=-1).numpy()
    np.testing.assert_allclose(decided.scores, expected, atol=1e-6)
    np.testing.assert_allclose(decided.scores.sum(axis=-1), 1, atol=1e-5)
    rows = np.arange(len(logits))
    assert (decided.confidence == decided.scores.max(axis=-1)).all()
    assert (decided.scores[rows, decided.label] == decided.confidence).all()


def test_answers_have_the_types_of_the_wire() -> None:
    decided = score_labels(np.zeros((3, 4), np.float32))
    assert decided.label.dtype == np.int64
    assert decided.confidence.dtype == decided.scores.dtype == np.float32
    assert decided.label.shape == decided.confidence.shape == (3,)
    assert softmax(np.zeros((2, 3, 4), np.float32)).shape == (2, 3, 4)


def test_of_equal_scores_the_first_label_is_taken() -> None:
    assert score_labels(np.array([[1, 3, 3]], np.float32)).label.tolist() == [1]


def test_labels_are_read_in_the_order_of_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("体育\nnews_finance\nC: d e\n", encoding="utf-8")
    assert load_labels(path) == ["体育", "news_finance", "C: d e"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\nb\na\n", "labels.txt names a more than once"),
        (b"a\n\nb\n", "expected a list of label names"),
        ("体育".encode("gb18030"), "labels.txt is not UTF-8"),
        (None, "labels.txt cannot be read"),
    ],
)
def test_a_file_without_distinct_names_is_refused(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "labels.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LabelCountError, match=message):
        load_labels(path)


@pytest.mark.parametrize("labels", [{"0": "a"}, "ab", ["a", 1], [""], None])
def test_anything_but_a_list_of_names_is_refused_with_what_it_is(labels: object) -> None:
    with pytest.raises(LabelCountError, match=r"config\.json holds .*; expected a list"):
        check_labels(labels, "config.json")


def test_a_name_of_several_lines_is_refused() -> None:
    with pytest.raises(LabelCountError, match="several lines"):
        check_labels(["a\nb", "c"], "config.json")


def test_a_name_too_many_is_refused_with_both_numbers() -> None:
    check_label_count(["a", "b"], 2, "the engine")
    with pytest.raises(LabelCountError, match="the engine returns 2 scores but there are 3 label"):
        check_label_count(["a", "b", "c"], 2, "the engine")


NAMES = ("体育", "财经", "国际")


def decoder(
    task: str, *, names: Sequence[str] = NAMES, thresholds: Sequence[float] = ()
) -> LabelDecoder:
    settings = LabelSettings(task=task, labels=len(names), thresholds=tuple(thresholds))
    return LabelDecoder(settings.to_parameters(), names)


@given(logits=finite_logits)
def test_sigmoids_are_pytorchs_and_finite_for_any_finite_logits(logits: Float32) -> None:
    made = sigmoid(logits)
    assert made.dtype == np.float32
    expected = torch.sigmoid(torch.from_numpy(logits.astype(np.float64))).numpy()
    np.testing.assert_allclose(made, expected, atol=1e-6)


def test_labels_from_their_own_thresholds_on_are_selected() -> None:
    made = decoder("multi_label", thresholds=(0.5, 0.25, 0.9))
    # Odds of 1, 1/3 and 4 are probabilities of 0.5, 0.25 and 0.8.
    logits = np.log(np.array([[1, 1 / 2, 4], [0.9, 1 / 4, 19], [1e-9, 1e-9, 1e-9]], np.float32))
    (answer,) = made.run([made.read({"logits": logits})])
    np.testing.assert_allclose(
        answer["scores"],
        [[1 / 2, 1 / 3, 4 / 5], [9 / 19, 1 / 5, 19 / 20], [0.0, 0.0, 0.0]],
        atol=1e-6,
    )
    assert answer["selected"].tolist() == [
        [True, True, False],
        [False, False, True],
        [False, False, False],
    ]
    assert answer["selected"].dtype == np.bool_
    assert answer["label"][:2].tolist() == [[2], [2]]
    assert answer["label_name"][0, 0].decode() == "国际"
    np.testing.assert_allclose(answer["confidence"][:, 0], [0.8, 0.95, 0], atol=1e-6)


def test_one_threshold_is_for_all_labels() -> None:
    made = decoder("multi_label", thresholds=(0.5,))
    (answer,) = made.run([np.array([[0, -0.1, 3]], np.float32)])
    assert answer["selected"].tolist() == [[True, False, True]]


def test_a_regression_is_the_models_number() -> None:
    made = decoder("regression", names=["similarity"])
    items = [np.array(rows, np.float32) for rows in ([[-3.25], [17.5]], [[0.0]])]
    first, second = made.run([made.read({"logits": item}) for item in items])
    assert set(first) == {"score"}
    assert first["score"].tolist() == [[-3.25], [17.5]]
    assert second["score"].tolist() == [[0.0]]
    assert first["score"].dtype == np.float32


def test_single_labels_have_nothing_selected() -> None:
    (answer,) = decoder("seq_cls").run([np.zeros((1, 3), np.float32)])
    assert set(answer) == {"label", "confidence", "label_name", "scores"}
