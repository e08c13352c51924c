"""A narrowed model is the whole one with the parts that went multiplied by 0."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import torch

from ernie_triton.build.torch_models.layer_widths import layers_of, widths_of
from ernie_triton.training.compression.pruning.importance import Importance
from ernie_triton.training.compression.pruning.prune import cut
from ernie_triton.training.compression.pruning.rewiring import keep_parts
from ernie_triton.training.compression.pruning.widths import Kept, Width
from tests.training.compression.teachers import answers_of, mask_of, multiplied, prepared_teacher
from tests.training.tiny import TASKS

KEPT = (
    Kept(heads=np.array([1, 3]), neurons=np.arange(5, 37)),
    Kept(heads=np.array([0]), neurons=np.array([0, 63, 20])),
)
ONES = np.ones(32)


@pytest.mark.parametrize("name", TASKS)
def test_a_narrowed_model_is_the_masked_one(tmp_path: Path, name: str) -> None:
    prepared = prepared_teacher(tmp_path, name)
    batch = next(iter(prepared.batches(4)))
    whole = answers_of(prepared.model, batch)
    with ExitStack() as stack:
        for layer, kept in zip(layers_of(prepared.model), KEPT, strict=True):
            stack.enter_context(multiplied(layer, "heads", mask_of(kept, "heads", 4, 8)))
            stack.enter_context(multiplied(layer, "neurons", mask_of(kept, "neurons", 64, 1)))
        masked = answers_of(prepared.model, batch)
    keep_parts(prepared.model, KEPT)
    assert widths_of(prepared.model) == tuple(kept.width for kept in KEPT)
    torch.testing.assert_close(answers_of(prepared.model, batch), masked, rtol=0, atol=1e-5)
    assert (masked - whole).abs().max() > 1e-3


def test_keeping_everything_changes_nothing(tmp_path: Path) -> None:
    prepared = prepared_teacher(tmp_path, "tnews")
    batch = next(iter(prepared.batches(4)))
    scores = Importance(heads=(np.arange(4.0),) * 2, neurons=(np.arange(64.0),) * 2, hidden=ONES)
    same, _ = cut(prepared.model, scores, Width(share=1.0))
    assert same is not prepared.model
    assert torch.equal(answers_of(same, batch), answers_of(prepared.model, batch))
