"""Students begin with what their teacher has."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ernie_triton.build.torch_models.layer_widths import layers_of
from ernie_triton.errors import CheckpointError
from ernie_triton.model_shapes import FAMILY, Shape
from ernie_triton.training.compression.distillation.distil import Distillation, new_student
from ernie_triton.training.compression.distillation.students import (
    StudentShape,
    initialise,
    student_shape,
    taught_by,
)
from ernie_triton.training.compression.distillation.transplant import (
    copy_table,
    places_of,
    places_of_heads,
)
from ernie_triton.training.compression.pruning.importance import Importance
from tests.training.compression.teachers import answers_of, prepared_teacher
from tests.training.tiny import TASKS


def test_shapes_are_written_as_sizes_or_as_a_name() -> None:
    assert student_shape("layers=3,hidden=1024") == StudentShape(layers=3, hidden=1024)
    assert student_shape("heads=2, feed_forward=8") == StudentShape(heads=2, feed_forward=8)
    nano = student_shape("nano")
    assert (nano.layers, nano.hidden, nano.heads, nano.feed_forward) == (4, 312, 12, 1248)


@pytest.mark.parametrize(
    "text",
    ["", "layers", "layers=", "layers=x", "layers=2,layers=3", "depth=2", "layers=-1", "Nano"],
)
def test_anything_else_is_no_shape(text: str) -> None:
    with pytest.raises(CheckpointError, match="expected one of base, medium, mini"):
        student_shape(text)


def test_what_is_not_given_follows_from_the_teacher(tmp_path: Path) -> None:
    teacher = prepared_teacher(tmp_path, "tnews").model
    assert StudentShape().of(teacher) == Shape(layers=2, hidden=32, heads=4, feed_forward=64)
    wide = StudentShape(layers=1, hidden=48).of(teacher)
    assert wide == Shape(layers=1, hidden=48, heads=6, feed_forward=96)
    odd = StudentShape(hidden=20).of(teacher)
    assert (odd.heads, odd.feed_forward) == (4, 40)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"hidden": 33}, "hidden is 33, which 4 heads do not divide"),
        ({"heads": 5}, "hidden is 32, which 5 heads do not divide"),
        ({"layers": 3}, "has 3 layers but its teacher only 2"),
        ({"layers": 0}, "layers is 0; expected at least 1"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(
    tmp_path: Path, shape: dict[str, int], message: str
) -> None:
    teacher = prepared_teacher(tmp_path, "tnews").model
    with pytest.raises(CheckpointError, match=message):
        StudentShape(**shape).of(teacher)


@pytest.mark.parametrize(
    ("layers", "of", "expected"),
    [(3, 6, (1, 3, 5)), (6, 6, (0, 1, 2, 3, 4, 5)), (1, 6, (5,)), (4, 6, (1, 2, 4, 5))],
)
def test_a_student_s_layers_are_spread_over_the_teacher_s(
    layers: int, of: int, expected: tuple[int, ...]
) -> None:
    assert taught_by(layers, of) == expected


def student_of(prepared: Any, **shape: int) -> Any:
    return new_student(prepared, StudentShape(**shape).of(prepared.model), Distillation(examples=8))


@pytest.mark.parametrize("name", TASKS)
def test_a_student_of_the_same_shape_answers_as_the_teacher(tmp_path: Path, name: str) -> None:
    prepared = prepared_teacher(tmp_path, name)
    batch = next(iter(prepared.batches(4)))
    found, expected = (answers_of(model, batch) for model in (student_of(prepared), prepared.model))
    assert torch.equal(found, expected)


def test_a_shallow_student_has_the_teacher_s_layers(tmp_path: Path) -> None:
    prepared = prepared_teacher(tmp_path, "tnews", num_hidden_layers=4)
    student = student_of(prepared, layers=2)
    for own, index in zip(layers_of(student), (1, 3), strict=True):
        theirs = layers_of(prepared.model)[index]
        for one, other in zip(own.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(one, other)
    teacher: Any = prepared.model
    own, theirs = (m.base_model.embeddings.state_dict() for m in (student, teacher))
    assert all(torch.equal(own[name], theirs[name]) for name in own)
    assert torch.equal(student.classifier.weight, teacher.classifier.weight)


def test_more_neurons_and_heads_change_nothing_at_first(tmp_path: Path) -> None:
    prepared = prepared_teacher(tmp_path, "tnews")
    batch = next(iter(prepared.batches(4)))
    student = student_of(prepared, feed_forward=80)
    found, expected = (answers_of(model, batch) for model in (student, prepared.model))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    # Random, all the same: gradients tell the new neurons apart.
    fresh = layers_of(student)[0].intermediate.dense.weight[64:]
    assert float(fresh.detach().std()) > 0.01


def test_a_narrow_student_has_the_most_important_parts(tmp_path: Path) -> None:
    prepared = prepared_teacher(tmp_path, "tnews")
    student = student_of(prepared, layers=1, hidden=16, heads=2, feed_forward=8)
    hidden, neurons = np.zeros(32), np.zeros(64)
    hidden[[3, 30, *range(8, 22)]] = 1.0
    neurons[[5, 6, 7, 60, 61, 62, 63, 1]] = 1.0
    heads = np.array([0.0, 2.0, 1.0, 0.0])
    initialise(
        student,
        prepared.model,
        Importance(heads=(heads,) * 2, neurons=(neurons,) * 2, hidden=hidden),
    )
    own, theirs = layers_of(student)[0], layers_of(prepared.model)[1]
    features = [3, *range(8, 22), 30]
    rows = [1, 5, 6, 7, 60, 61, 62, 63]
    expected = theirs.intermediate.dense.weight[rows][:, features]
    assert torch.equal(own.intermediate.dense.weight, expected)
    expected = theirs.attention.self.key.weight[8:24][:, features]
    assert torch.equal(own.attention.self.key.weight, expected)
    teacher: Any = prepared.model
    word = teacher.base_model.embeddings.word_embeddings.weight[:, features]
    assert torch.equal(student.base_model.embeddings.word_embeddings.weight, word)
    assert torch.equal(student.classifier.weight, teacher.classifier.weight[:, features])


def test_a_wide_student_keeps_the_known_features_and_invents_others(tmp_path: Path) -> None:
    prepared = prepared_teacher(tmp_path, "tnews")
    student = student_of(prepared, layers=1, hidden=48)
    models: tuple[Any, Any] = (student, prepared.model)
    own, theirs = (m.base_model.embeddings.word_embeddings.weight.detach() for m in models)
    assert torch.equal(own[:, :32], theirs)
    assert float(own[:, 32:].std() / theirs.std()) == pytest.approx(1.0, abs=0.2)
    query = layers_of(student)[0].attention.self.query.weight
    assert torch.equal(query[:32, :32], layers_of(prepared.model)[1].attention.self.query.weight)
    assert not query[:32, 32:].any()
    assert query[32:].all()


def test_places_are_the_best_ones_then_new_ones() -> None:
    scores = np.array([3.0, 1.0, 2.0])
    assert places_of(scores, 2).tolist() == [0, 2]
    assert places_of(scores, 5).tolist() == [0, 1, 2, -1, -1]


@pytest.mark.parametrize(
    ("old_size", "heads", "size", "expected"),
    [
        (2, 1, 2, [2, 3]),
        (2, 3, 2, [0, 1, 2, 3, -1, -1]),
        (2, 2, 3, [0, 1, -1, 2, 3, -1]),
        (2, 2, 1, [0, 2]),
        (2, 1, 4, [0, 1, 2, 3]),
        (2, 1, 6, [0, 1, 2, 3, -1, -1]),
    ],
)
def test_heads_are_taken_whole_or_cut_each_by_itself(
    old_size: int, heads: int, size: int, expected: list[int]
) -> None:
    found = places_of_heads(np.array([1.0, 2.0]), old_size, heads, size)
    assert found.tolist() == expected


def test_a_table_is_filled_where_both_sides_have_it() -> None:
    old = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    new = torch.full((3, 3), 9.0)
    copy_table(new, old, np.array([1, -1, 0]), np.array([0, -1, 1]))
    assert new.tolist() == [[3.0, 0.0, 4.0], [9.0, 9.0, 9.0], [1.0, 0.0, 2.0]]


def test_the_family_s_shapes_are_students(tmp_path: Path) -> None:
    teacher = prepared_teacher(tmp_path, "tnews").model
    for name, shape in FAMILY.items():
        if shape.layers > 2:
            with pytest.raises(CheckpointError, match="its teacher only 2"):
                student_shape(name).of(teacher)
