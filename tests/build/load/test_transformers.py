"""Checkpoints of transformers are read array by array, from both kinds of file."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ernie_triton.build.check.reference import model_outputs
from ernie_triton.build.load import read_source
from ernie_triton.build.load.safetensors_file import read_safetensors
from ernie_triton.build.load.source import Source, WantedHead
from ernie_triton.build.load.torch_file import read_torch
from ernie_triton.build.model.encoder import named_arrays
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError
from tests.build.load.exports import transformers_model
from tests.build.models import (
    assert_row_equal,
    expected_outputs,
    random_rows,
    save_transformers,
    single_rows,
    transformers_logits,
)

FILES = ("model.safetensors", "pytorch_model.bin")
ROWS = random_rows((9, 2, 20))


@pytest.fixture(scope="module")
def ernie() -> Any:
    return transformers_model("ernie")


def model_in(source: Source) -> Model:
    assert isinstance(source.model, Model)
    return source.model


def logits(model: Model) -> Any:
    return [model_outputs(model, row)["logits"] for row in single_rows(ROWS)]


@pytest.mark.parametrize("weights_file", FILES)
@pytest.mark.parametrize("kind", ["ernie", "bert", "roberta"])
def test_both_files_answer_as_transformers(tmp_path: Path, kind: str, weights_file: str) -> None:
    model = transformers_model(kind)
    source = read_source(
        save_transformers(model, tmp_path, weights_file=weights_file), WantedHead()
    )
    assert source.kind == f"transformers checkpoint ({weights_file})"
    assert (source.path, source.vocabulary) == (tmp_path, tmp_path / "vocab.txt")
    assert (source.graph, source.unrecognised, source.labels) == (None, "", None)
    expected = transformers_logits(model, ROWS)
    np.testing.assert_allclose(logits(model_in(source)), expected, rtol=0, atol=1e-5)


def test_a_folder_that_save_pretrained_wrote_is_read(tmp_path: Path, ernie: Any) -> None:
    ernie.save_pretrained(tmp_path)
    found = logits(model_in(read_source(tmp_path, WantedHead())))
    np.testing.assert_allclose(found, transformers_logits(ernie, ROWS), rtol=0, atol=1e-5)


@pytest.mark.parametrize("weights_file", FILES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_weights_of_other_floating_types_become_float32_exactly(
    tmp_path: Path, ernie: Any, dtype: torch.dtype, weights_file: str
) -> None:
    state = {name: tensor.to(dtype) for name, tensor in ernie.state_dict().items()}
    save_transformers(ernie, tmp_path, state=state, weights_file=weights_file)
    read = read_safetensors if weights_file == FILES[0] else read_torch
    found = read(tmp_path / weights_file)
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], tensor.float().numpy())
    assert len(list(named_arrays(model_in(read_source(tmp_path, WantedHead()))))) == 41


@pytest.mark.parametrize("weights_file", FILES)
def test_gamma_and_beta_are_a_norm_s_scale_and_bias(
    tmp_path: Path, ernie: Any, weights_file: str
) -> None:
    renamed = {
        name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): tensor
        for name, tensor in ernie.state_dict().items()
    }
    save_transformers(ernie, tmp_path, state=renamed, weights_file=weights_file)
    found = logits(model_in(read_source(tmp_path, WantedHead())))
    np.testing.assert_allclose(found, transformers_logits(ernie, ROWS), rtol=0, atol=1e-5)


@pytest.mark.parametrize("weights_file", FILES)
def test_integer_buffers_are_passed_over(tmp_path: Path, ernie: Any, weights_file: str) -> None:
    # As transformers before 4.31 saved them.
    buffer = {"ernie.embeddings.position_ids": torch.arange(32)[None]}
    state = ernie.state_dict() | buffer
    save_transformers(ernie, tmp_path, state=state, weights_file=weights_file)
    model_in(read_source(tmp_path, WantedHead()))


def test_label_names_come_from_id2label(tmp_path: Path, ernie: Any) -> None:
    names = {index: f"类{index}" for index in range(5)}
    source = read_source(save_transformers(ernie, tmp_path, id2label=names), WantedHead())
    assert source.labels == ("类0", "类1", "类2", "类3", "类4")


def test_safetensors_are_preferred_to_a_bin_beside_them(tmp_path: Path, ernie: Any) -> None:
    save_transformers(ernie, tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"not read")
    source = read_source(tmp_path, WantedHead())
    assert source.kind == "transformers checkpoint (model.safetensors)"


@pytest.mark.parametrize("weights_file", FILES)
def test_quantised_weights_are_refused(tmp_path: Path, ernie: Any, weights_file: str) -> None:
    state = ernie.state_dict() | {"classifier.weight": torch.ones(5, 24, dtype=torch.int8)}
    save_transformers(ernie, tmp_path, state=state, weights_file=weights_file)
    with pytest.raises(CheckpointError, match=r"classifier\.weight has the type int8"):
        read_source(tmp_path, WantedHead())


@pytest.mark.parametrize("weights_file", FILES)
@pytest.mark.parametrize("kept", [0, 4, 100, 5000, 20_000, -1])
def test_a_truncated_file_is_refused(
    tmp_path: Path, ernie: Any, weights_file: str, kept: int
) -> None:
    path = save_transformers(ernie, tmp_path, weights_file=weights_file) / weights_file
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=rf"{weights_file} is truncated or") as caught:
        read_source(tmp_path, WantedHead())
    assert "\n" not in str(caught.value)


class Payload:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def test_a_bin_that_calls_anything_is_refused_and_not_run(tmp_path: Path, ernie: Any) -> None:
    folder = save_transformers(ernie, tmp_path / "checkpoint")
    (folder / "model.safetensors").unlink()
    torch.save({**ernie.state_dict(), "more": Payload(tmp_path / "ran")}, folder / FILES[1])
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin .*holds more than weights"):
        read_source(folder, WantedHead())
    assert not (tmp_path / "ran").exists()


def test_a_bin_of_something_else_than_named_tensors_is_refused(tmp_path: Path) -> None:
    torch.save([torch.ones(2)], tmp_path / "weights.bin")
    with pytest.raises(CheckpointError, match="holds a list; expected named tensors"):
        read_torch(tmp_path / "weights.bin")


def test_weights_without_configuration_are_refused(tmp_path: Path, ernie: Any) -> None:
    save_transformers(ernie, tmp_path)
    shutil.move(tmp_path / "config.json", tmp_path / "settings.json")
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        read_source(tmp_path, WantedHead())


@pytest.mark.parametrize(
    ("head", "pooling"), [("token", ""), ("span", ""), ("vector", "mean"), ("vector", "pooler")]
)
def test_save_pretrained_of_each_task_is_read_as_what_it_is(
    tmp_path: Path, head: str, pooling: str
) -> None:
    source = transformers_model("ernie", head=head)
    source.save_pretrained(tmp_path)
    model = model_in(read_source(tmp_path, WantedHead(pooling=pooling or "cls")))
    expected = expected_outputs(source, ROWS, pooling)
    for row, answer in zip(single_rows(ROWS), expected, strict=True):
        assert_row_equal(model_outputs(model, row), answer)


@pytest.mark.parametrize("weights_file", FILES)
def test_another_task_is_refused_in_one_line_that_names_both(
    tmp_path: Path, weights_file: str
) -> None:
    folder = save_transformers(
        transformers_model("ernie", head="token"), tmp_path, weights_file=weights_file
    )
    with pytest.raises(CheckpointError) as caught:
        read_source(folder, WantedHead(head="span"))
    assert str(caught.value) == (
        f"{folder / weights_file} is a model of token_cls, as its configuration says; "
        f"found --task of qa"
    )


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"problem_type": "multi_label_classification"}, "multi_label_classification"),
        ({"num_labels": 1}, "regression"),
        ({}, ""),
    ],
)
def test_the_problem_is_the_source_s(
    tmp_path: Path, settings: dict[str, Any], problem: str
) -> None:
    transformers_model("ernie", **settings).save_pretrained(tmp_path)
    assert read_source(tmp_path, WantedHead()).problem == problem
