"""The task is what the checkpoint's files say; files are written by transformers or by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.build.commands.task_inference import infer_task, reads_pairs
from ernie_triton.errors import CheckpointError, UsageError
from tests.build.load.exports import transformers_model
from tests.build.models import save_transformers
from tests.paths import ROOT

SAMPLES = ROOT / "samples" / "checkpoints"
PADDLE = ROOT / "tests" / "fixtures" / "paddle_example"


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    values = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    kept = {name: value for name, value in values.items() if value is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")


def add_pooling(folder: Path, **values: Any) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(values), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("afqmc", "seq_cls"),
        ("cmrc2018", "qa"),
        ("msra_ner", "token_cls"),
        ("multi_label", "multi_label"),
        ("sentence_pairs", "embedding"),
        ("similarity", "regression"),
        ("tnews", "seq_cls"),
    ],
)
def test_the_samples_say_their_tasks(name: str, task: str) -> None:
    assert infer_task(SAMPLES / name).task == task


@pytest.mark.parametrize("task", ["seq_cls", "token_cls", "qa"])
def test_paddlenlp_s_own_files_say_their_tasks(task: str) -> None:
    assert infer_task(PADDLE / f"{task}_checkpoint").task == task
    assert infer_task(PADDLE / f"{task}_inference").task == task
    assert infer_task(PADDLE / f"{task}_inference" / "model.pdmodel").task == task


@pytest.mark.parametrize(
    ("head", "task"), [("sequence", "seq_cls"), ("token", "token_cls"), ("span", "qa")]
)
def test_names_of_weights_say_the_task_where_the_configuration_does_not(
    tmp_path: Path, head: str, task: str
) -> None:
    folder = save_transformers(transformers_model("ernie", head=head), tmp_path)
    change_config(folder, architectures=None)
    inferred = infer_task(folder)
    assert (inferred.task, inferred.reason) == (task, "the names in model.safetensors")


def test_an_encoder_without_head_and_architecture_says_nothing(tmp_path: Path) -> None:
    folder = save_transformers(transformers_model("ernie", head="vector"), tmp_path)
    change_config(folder, architectures=None)
    with pytest.raises(UsageError, match=r"does not say its task; name it with --task seq_cls\|"):
        infer_task(folder)


def test_one_label_is_a_regression(tmp_path: Path) -> None:
    folder = save_transformers(transformers_model("bert", num_labels=1), tmp_path)
    assert infer_task(folder).task == "regression"


def test_sentence_transformers_files_say_an_embedding(tmp_path: Path) -> None:
    folder = save_transformers(transformers_model("bert", head="vector"), tmp_path)
    change_config(folder, architectures=["BertForMaskedLM"])
    add_pooling(folder, pooling_mode_cls_token=False, pooling_mode_mean_tokens=True)
    assert infer_task(folder).task == "embedding"
    (tmp_path / "model_head.pkl").touch()
    with pytest.raises(UsageError, match=r"a classifier of SetFit.*--task embedding serves"):
        infer_task(tmp_path)


@pytest.mark.parametrize(
    ("values", "pairs"),
    [
        ({"sentence_transformers": {"version": "4.1.0"}}, True),
        ({"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, True),
        ({}, False),
    ],
)
def test_a_cross_encoder_reads_pairs(tmp_path: Path, values: dict[str, Any], pairs: bool) -> None:
    folder = save_transformers(transformers_model("bert", num_labels=1), tmp_path, **values)
    assert infer_task(folder).task == "regression"
    assert reads_pairs(folder) == pairs


def test_a_folder_without_a_checkpoint_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        infer_task(tmp_path)
