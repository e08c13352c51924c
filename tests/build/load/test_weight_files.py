"""Weights are found and read in every file that frameworks and training programs write."""

import argparse
import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file

from ernie_triton.build.check.reference import model_outputs
from ernie_triton.build.load import read_source
from ernie_triton.build.load.safetensors_file import read_safetensors, write_safetensors
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError, VocabularyError
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.build.load.exports import transformers_model
from tests.build.models import (
    paddle_state,
    random_rows,
    save_paddlenlp,
    save_transformers,
    single_rows,
    transformers_logits,
)

ROWS = random_rows((9, 4))
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:abab\nsize 409000000\n"
Tensors = Mapping[str, torch.Tensor]


@pytest.fixture(scope="module")
def bert() -> Any:
    model = transformers_model("bert")
    model.bert.embeddings.word_embeddings.weight.data[0] = 0  # as Paddle takes it
    return model


@pytest.fixture
def folder(tmp_path: Path, bert: Any) -> Path:
    """A checkpoint's folder without its weights."""
    save_transformers(bert, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    return tmp_path


def assert_reads(path: Path, bert: Any, tolerance: float = 1e-5) -> str:
    source = read_source(path)
    assert isinstance(source.model, Model)
    found = [model_outputs(source.model, row)["logits"] for row in single_rows(ROWS)]
    expected = transformers_logits(bert, ROWS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    return source.kind


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_source(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def shards(state: Mapping[str, Any], ending: str) -> dict[str, dict[str, Any]]:
    names = sorted(state)
    parts = {"one": names[:20], "two": names[20:]}
    return {f"{file}.{ending}": {n: state[n] for n in part} for file, part in parts.items()}


def write_index(folder: Path, name: str, parts: Mapping[str, Mapping[str, Any]]) -> None:
    places = {array: file for file, part in parts.items() for array in part}
    (folder / name).write_text(json.dumps({"metadata": {}, "weight_map": places}))


def test_shards_that_transformers_saved(tmp_path: Path, bert: Any) -> None:
    bert.save_pretrained(tmp_path, max_shard_size="20KB")
    assert not (tmp_path / "model.safetensors").exists()
    kind = assert_reads(tmp_path, bert)
    assert kind == "transformers checkpoint (model.safetensors.index.json)"
    assert assert_reads(tmp_path / "model.safetensors.index.json", bert) == kind


def test_shards_of_torch_and_of_paddle(folder: Path, tmp_path: Path, bert: Any) -> None:
    parts = shards(bert.state_dict(), "bin")
    for name, part in parts.items():
        torch.save(part, folder / name)
    write_index(folder, "pytorch_model.bin.index.json", parts)
    assert assert_reads(folder, bert).startswith("transformers")
    other = save_paddlenlp(bert, tmp_path / "paddle")
    (other / "model_state.pdparams").unlink()
    parts = shards(paddle_state(bert), "pdparams")
    for name, part in parts.items():
        (other / name).write_bytes(pickle.dumps(part))
    write_index(other, "model_state.pdparams.index.json", parts)
    assert assert_reads(other, bert).startswith("PaddleNLP")


def test_paddlenlp_s_safetensors_are_told_by_their_names(tmp_path: Path, bert: Any) -> None:
    folder = save_paddlenlp(bert, tmp_path)
    (folder / "model_state.pdparams").unlink()
    state = paddle_state(bert)
    save_numpy(state, folder / "model.safetensors", metadata={"format": "pd"})
    assert assert_reads(folder, bert) == "PaddleNLP checkpoint (model.safetensors)"
    (folder / "model.safetensors").unlink()
    parts = shards(state, "safetensors")
    for name, part in parts.items():
        save_numpy(part, folder / name, metadata={"format": "pd"})
    write_index(folder, "model.safetensors.index.json", parts)
    assert assert_reads(folder, bert).startswith("PaddleNLP")


@pytest.mark.parametrize("name", ["bert_best.pdparams", "model_state.pdparams"])
@pytest.mark.parametrize("form", ["fp32", "fp16", "nested", "nested tensors"])
def test_pdparams_under_any_name(tmp_path: Path, bert: Any, name: str, form: str) -> None:
    folder = save_paddlenlp(bert, tmp_path)
    (folder / "model_state.pdparams").unlink()
    content: dict[str, Any] = dict(paddle_state(bert))
    if form == "fp16":
        content = {key: array.astype(np.float16) for key, array in content.items()}
    if form == "nested tensors":
        content = {key: (f"linear_{index}.w_0", content[key]) for index, key in enumerate(content)}
    if form.startswith("nested"):
        content = {"epoch": 3, "model": content, "optimizer": {"w": np.ones(3, np.float32)}}
    (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    assert_reads(folder, bert, 1e-2 if form == "fp16" else 1e-5)


def forms(state: Tensors) -> dict[str, Any]:
    """What training programs give to `torch.save`."""
    parameters = {name: torch.nn.Parameter(tensor) for name, tensor in state.items()}
    optimizer = {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 1e-5}]}
    return {
        "state_dict": dict(state),
        "parameters": parameters,
        "model": {"model": dict(state), "epoch": 3, "optimizer": optimizer, "f1": np.float64(0.9)},
        "lightning": {
            "state_dict": {f"model.{name}": tensor for name, tensor in state.items()},
            "hyper_parameters": argparse.Namespace(lr=1e-5),
            "optimizer_states": [optimizer],
        },
        "nested": {"checkpoint": {"model_state_dict": dict(state)}, "step": torch.tensor(5)},
        "half": {name: tensor.half() for name, tensor in state.items()},
        "bfloat16": {name: tensor.bfloat16() for name, tensor in state.items()},
        "views": {name: tensor.t().contiguous().t() for name, tensor in state.items()},
    }


FORMS = ("state_dict", "parameters", "model", "lightning", "nested", "half", "bfloat16", "views")


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize("form", FORMS)
def test_what_torch_saved_is_read_without_torch(
    folder: Path, bert: Any, form: str, is_zip: bool
) -> None:
    name = {"lightning": "last.ckpt", "model": "best_model.pth", "nested": "7.pt"}.get(form)
    path = folder / (name or "pytorch_model.bin")
    torch.save(forms(bert.state_dict())[form], path, _use_new_zipfile_serialization=is_zip)
    (folder / "training_args.bin").write_bytes(b"PK\x03\x04")
    (folder / "optimizer.pt").write_bytes(b"PK\x03\x04")
    assert_reads(folder, bert, {"half": 1e-2, "bfloat16": 0.1}.get(form, 1e-5))
    assert_reads(path, bert, {"half": 1e-2, "bfloat16": 0.1}.get(form, 1e-5))


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "module._orig_mod.", "net."])
def test_one_prefix_of_all_arrays_is_taken_off(folder: Path, bert: Any, prefix: str) -> None:
    state = {f"{prefix}{name}": tensor for name, tensor in bert.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    assert_reads(folder, bert)


def test_a_prefix_that_not_all_arrays_have_is_refused(folder: Path, bert: Any) -> None:
    state = {
        name if name.startswith("classifier") else f"encoder.{name}": tensor
        for name, tensor in bert.state_dict().items()
    }
    save_file(state, folder / "model.safetensors")
    assert "named 'encoder.', which classifier.bias, classifier.weight" in refusal(folder)


def test_a_whole_pickled_model_is_refused_with_how_to_save_weights(folder: Path, bert: Any) -> None:
    torch.save(bert, folder / "pytorch_model.bin")
    message = refusal(folder)
    assert "holds more than weights: it asks for transformers.models.bert" in message
    assert "model.save_pretrained(folder)" in message


def test_two_models_in_one_file_are_refused(folder: Path, bert: Any) -> None:
    state = bert.state_dict()
    torch.save({"model": state, "ema": {"shadow": state}}, folder / "best.pt")
    assert "holds 2 models, under model, ema.shadow" in refusal(folder)


@pytest.mark.parametrize("name", ["adapter_config.json", "lora_config.json"])
def test_an_adapter_is_refused_with_how_to_merge_it(folder: Path, name: str) -> None:
    (folder / name).write_text('{"peft_type": "LORA"}')
    save_file(
        {"base_model.model.x.lora_A.weight": torch.ones(2)}, folder / "adapter_model.safetensors"
    )
    message = refusal(folder)
    assert f"is an adapter ({name}, adapter_model.safetensors), not a whole model" in message
    assert "merge_and_unload()" in message


def test_weights_of_8_bits_are_refused_by_type(folder: Path, bert: Any) -> None:
    state = bert.state_dict()
    query = "bert.encoder.layer.0.attention.self.query.weight"
    save_file({**state, query: state[query].to(torch.float8_e4m3fn)}, folder / "model.safetensors")
    assert f"{query} has the type F8_E4M3; expected floating-point weights of 16" in refusal(folder)


def test_an_adapter_beside_a_whole_model_is_refused(folder: Path, bert: Any) -> None:
    save_file(bert.state_dict(), folder / "model.safetensors")
    assert_reads(folder, bert)
    (folder / "adapter_config.json").touch()
    message = refusal(folder)
    assert "an adapter (adapter_config.json) beside model.safetensors, and nothing says" in message


@pytest.mark.parametrize("name", ["tf_model.h5", "flax_model.msgpack", "bert_model.ckpt.index"])
def test_weights_of_tensorflow_and_flax_are_named(folder: Path, name: str) -> None:
    (folder / name).touch()
    message = refusal(folder)
    assert "weights of TensorFlow or Flax are not read" in message
    assert name in message
    assert "from_tf=True" in message


def test_arrays_of_an_adapter_in_whole_weights_are_refused(folder: Path, bert: Any) -> None:
    query = "bert.encoder.layer.0.attention.self.query"
    state = bert.state_dict() | {f"{query}.lora_A.default.weight": torch.ones(2, 24)}
    save_file(state, folder / "model.safetensors")
    assert "arrays of an adapter" in refusal(folder)


def test_no_checkpoint_says_what_is_there_and_what_was_looked_for(tmp_path: Path) -> None:
    for name in ("config.json", "flax_model.msgpack", "training_args.bin", "openvino_model.bin"):
        (tmp_path / name).write_text("{}")
    message = refusal(tmp_path)
    assert "saw config.json, flax_model.msgpack, openvino_model.bin, training_args.bin" in message
    assert "looked for model.safetensors, pytorch_model.bin, model_state.pdparams" in message


def test_a_folder_around_checkpoints_is_told_to_name_one(tmp_path: Path, bert: Any) -> None:
    bert.save_pretrained(tmp_path / "best_model")
    expected = f"; best_model inside it has one: name {tmp_path / 'best_model'}"
    assert refusal(tmp_path).endswith(expected)


def test_several_files_that_could_be_meant_are_listed(folder: Path, bert: Any) -> None:
    for name in ("epoch1.pt", "epoch2.pt"):
        torch.save(bert.state_dict(), folder / name)
    assert "holds 2 files of weights (epoch1.pt, epoch2.pt); name the one" in refusal(folder)
    assert_reads(folder / "epoch2.pt", bert)


def test_missing_shards_and_arrays_are_named(tmp_path: Path, bert: Any) -> None:
    bert.save_pretrained(tmp_path, max_shard_size="20KB")
    index = tmp_path / "model.safetensors.index.json"
    values = json.loads(index.read_text())
    values["weight_map"]["bert.more"] = values["weight_map"]["classifier.bias"]
    index.write_text(json.dumps(values))
    assert "names 1 arrays that its shards lack, such as 'bert.more'" in refusal(tmp_path)
    lost = tmp_path / values["weight_map"]["classifier.bias"]
    lost.unlink()
    assert f"{lost.name} is not beside it" in refusal(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        *("model.safetensors", "pytorch_model.bin", "model_state.pdparams", "model.onnx"),
        *("best.pt", "other.pdparams", "model.safetensors.index.json"),
    ],
)
def test_a_git_lfs_pointer_is_called_one(folder: Path, name: str) -> None:
    (folder / name).write_bytes(POINTER)
    expected = f"{folder / name} is a git-lfs pointer for 409,000,000 bytes, not the file itself"
    assert expected in refusal(folder)


def test_a_vocabulary_that_is_a_pointer_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_bytes(POINTER)
    with pytest.raises(VocabularyError, match=r"is a git-lfs pointer .* run: git lfs pull"):
        load_vocabulary(tmp_path / "vocab.txt")


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_written_weights_have_the_mode_of_any_new_file(
    mask: int, mode: int, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    before = os.umask(mask)
    try:
        write_safetensors({"one": np.ones(2, np.float32)}, path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == mode
    assert read_safetensors(path)["one"].tolist() == [1, 1]
