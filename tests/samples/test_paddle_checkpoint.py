"""A checkpoint in PaddleNLP's format is the one it was made from."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.model.encoder import named_arrays
from ernie_triton.build.model.models import Model
from ernie_triton.tasks import task_named
from samples.paddle_checkpoint import write_paddle_checkpoint
from tests.build.models import PADDLE_EXAMPLE

CHECKPOINTS = Path(__file__).parents[2] / "samples" / "checkpoints"


@pytest.mark.parametrize(
    ("name", "task", "half"),
    [
        ("tnews", "seq_cls", False),
        ("msra_ner", "token_cls", False),
        ("similarity", "regression", True),
    ],
)
def test_what_is_written_reads_back(name: str, task: str, half: bool, tmp_path: Path) -> None:
    source = CHECKPOINTS / name
    write_paddle_checkpoint(source, tmp_path, task=task, half=half)
    stored = np.load(tmp_path / "model_state.pdparams", allow_pickle=True)
    assert stored["classifier.weight"].dtype == (np.float16 if half else np.float32)
    wanted = WantedHead(head=task_named(task).head)
    first, second = read_source(source, wanted), read_source(tmp_path, wanted)
    assert second.kind.startswith("PaddleNLP")
    assert second.labels == first.labels
    assert isinstance(first.model, Model)
    assert isinstance(second.model, Model)
    # The reader takes the padding token's row for zeros, as Paddle does; nothing attends to it.
    arrays = dict(named_arrays(second.model))
    for key, array in named_arrays(first.model):
        start = 1 if key == "encoder.word" else 0
        assert np.array_equal(array[start:], arrays[key][start:]), key


# PaddleNLP 2.8.1 wrote the example: the names, their order, and Paddle's own names.
def test_names_and_their_order_are_paddlenlps(tmp_path: Path) -> None:
    write_paddle_checkpoint(CHECKPOINTS / "similarity", tmp_path, task="regression")
    names = []
    for folder in (PADDLE_EXAMPLE / "seq_cls_checkpoint", tmp_path):
        with (folder / "model_state.pdparams").open("rb") as file:
            state = pickle.load(file)
        names.append([name for name in state if "task_type" not in name])
        static = state["StructuredToParameterName@@"]
        assert static["ernie.encoder.layers.1.norm2.bias"] == "layer_norm_4.b_0"
        assert static["classifier.weight"] == "linear_13.w_0"
    assert names[0] == names[1]
