"""Tiny bases and slices of the sample data, to train on in a second."""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ernie_triton.build.torch_models.checkpoints import load_model, load_tokenizer
from ernie_triton.training.datasets import DataSet, read_dataset
from ernie_triton.training.tasks import TrainingTask, training_task
from tests.paths import SAMPLES

TASKS: Mapping[str, str] = {
    "tnews": "seq_cls",
    "afqmc": "seq_cls",
    "multi_label": "multi_label",
    "similarity": "regression",
    "msra_ner": "token_cls",
    "cmrc2018": "qa",
    "extraction": "extraction",
}


def write_base(folder: Path, **config: Any) -> Path:
    """A base of random weights: `config.json` and `vocab.txt` alone."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = SAMPLES / "data/vocab.txt"
    values = {
        "model_type": "ernie",
        "vocab_size": len(vocabulary.read_text(encoding="utf-8").splitlines()),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 160,
        "type_vocab_size": 4,
        "hidden_act": "gelu",
        "pad_token_id": 0,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.05,
        **config,
    }
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    shutil.copyfile(vocabulary, folder / "vocab.txt")
    return folder


def data_folder(folder: Path, name: str, *, train: int, dev: int) -> Path:
    """The first lines of a sample data set, as a data set of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    source = SAMPLES / "data" / name
    for split, count in (("train", train), ("dev", dev)):
        lines = (source / f"{split}.json").read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / f"{split}.json").write_text("".join(lines[:count]), encoding="utf-8")
    if (source / "labels.json").is_file():
        shutil.copyfile(source / "labels.json", folder / "labels.json")
    return folder


def part_of(name: str, *, train: int, dev: int) -> DataSet:
    """The first examples of a sample data set."""
    data = read_dataset(TASKS[name], SAMPLES / "data" / name)
    return dataclasses.replace(data, train=data.train[:train], dev=data.dev[:dev])


def model_and_task(
    base: Path, data: DataSet, *, max_length: int = 48, seed: int = 0
) -> tuple[Any, TrainingTask]:
    """A new model of a base for some data, and the data's task."""
    model = load_model(base, task=data.task, labels=data.outputs, seed=seed)
    tokenizer = load_tokenizer(base, max_length=max_length)
    return model, training_task(data, tokenizer, max_length=max_length)
