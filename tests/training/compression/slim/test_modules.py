"""A student begins with what its teacher knows of words."""

import numpy as np
import pytest
import torch

from ernie_triton.build.model.slim import bigram_addends
from ernie_triton.training.compression.slim.modules import INITIAL_DEVIATION
from tests.build.slim_students import student


@pytest.mark.parametrize(("name", "width"), [("bigrams", 24), ("windows", 8), ("windows", 5)])
def test_words_lie_as_the_teacher_s_do_along_its_main_directions(name: str, width: int) -> None:
    module = student(name)
    random = np.random.default_rng(0)
    table = random.normal(size=(60, width)) * np.geomspace(1.0, 0.1, width)
    before = module.word.weight.detach().numpy().copy()
    module.take_words(torch.from_numpy(table))
    found = module.word.weight.detach().numpy().astype(np.float64)
    shared = min(width, 8)
    left, sizes, _ = np.linalg.svd(table - table.mean(axis=0), full_matrices=False)
    kept = left[:, :shared] * sizes[:shared]
    expected = kept @ kept.T * (INITIAL_DEVIATION / kept.std(ddof=1)) ** 2
    np.testing.assert_allclose(found[:, :shared] @ found[:, :shared].T, expected, atol=1e-6)
    np.testing.assert_array_equal(found[:, shared:], before[:, shared:])
    assert module.word.weight.requires_grad


def test_what_follows_from_the_shape_is_no_part_of_the_state() -> None:
    module = student("bigrams")
    assert not [name for name in module.state_dict() if "addend" in name]
    first, second = bigram_addends(60, 37)
    np.testing.assert_array_equal(module.first_addend.numpy(), first)
    np.testing.assert_array_equal(module.second_addend.numpy(), second)


def test_a_student_of_pairs_wants_token_types() -> None:
    with pytest.raises(ValueError, match="needs token_type_ids"):
        student("windows", pair=True)(torch.ones(1, 3, dtype=torch.int64))
