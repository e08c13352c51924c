"""Models of multiple choice, by their arrays and by their graphs: each option has its score."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from ernie_triton.build.check.reference import model_outputs, reference_for
from ernie_triton.build.commands.task_inference import infer_task
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import Source, WantedHead
from ernie_triton.build.model.heads import ChoiceHead
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError, OtherTaskError
from ernie_triton.tasks import CHOICE
from tests.build.load.exports import (
    VOCABULARY,
    MaskFromIds,
    MaskFromInput,
    export,
    transformers_model,
)
from tests.build.models import save_transformers

IDS = torch.randint(5, VOCABULARY, (2, 3, 9), generator=torch.Generator().manual_seed(1))


def assert_scores(source: Any, found: Source, *, has_types: bool = True) -> None:
    """Every option has the score of transformers' model, by our formulas and by the reference."""
    assert isinstance(found.model, Model)
    assert isinstance(found.model.head, ChoiceHead)
    types = (IDS > 20).long() if has_types else torch.zeros_like(IDS)
    with torch.inference_mode():
        expected = source(IDS, token_type_ids=types).logits.reshape(-1).numpy()
    rows = [
        (ids.astype(np.int32), kinds.astype(np.int32))
        for ids, kinds in zip(IDS.reshape(6, -1).numpy(), types.reshape(6, -1).numpy(), strict=True)
    ]
    for outputs in (partial(model_outputs, found.model), reference_for(found, CHOICE).outputs):
        scores = [outputs(row)["logits"] for row in rows]
        np.testing.assert_allclose(np.reshape(scores, -1), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["ernie", "bert", "roberta"])
def test_a_checkpoint_scores_each_option_behind_the_pooler(kind: str, tmp_path: Path) -> None:
    source = transformers_model(kind, head="choice")
    save_transformers(source, tmp_path, num_choices=7)
    assert_scores(source, read_source(tmp_path), has_types=kind != "roberta")
    assert infer_task(tmp_path).task == "choice"
    with pytest.raises(OtherTaskError, match=r"is a model of choice, .*; found --task of seq_cls"):
        read_source(tmp_path, WantedHead(head="sequence"))


@pytest.mark.parametrize("module", [MaskFromInput, MaskFromIds])
def test_a_graph_of_options_is_read_as_one_of_rows(module: Any, tmp_path: Path) -> None:
    source = transformers_model("ernie", head="choice")
    path = tmp_path / "choice.onnx"
    onnx.save(export(module(source), options=4), path)
    assert_scores(source, read_source(path))
    assert infer_task(path).task == "choice"
    with pytest.raises(OtherTaskError, match="options of a question; build it with --task choice"):
        read_source(path, WantedHead(head="sequence"))


def test_a_head_with_several_scores_of_an_option_is_none(tmp_path: Path) -> None:
    save_transformers(transformers_model("bert"), tmp_path, architectures=["BertForMultipleChoice"])
    with pytest.raises(CheckpointError, match="has 5 outputs; expected one score of each option"):
        read_source(tmp_path)
