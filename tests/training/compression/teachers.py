"""Tiny teachers of every task, and masks that stand for pruning."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ernie_triton.build.torch_models.checkpoints import load_model, save_model
from ernie_triton.training.compression.preparation import PreparedModel, prepared_model
from ernie_triton.training.compression.pruning.widths import Kept
from tests.paths import SAMPLES
from tests.training.tiny import TASKS, data_folder, part_of, write_base

LENGTH = 32


def write_teacher(folder: Path, name: str, **config: Any) -> Path:
    """A model of random weights with the head of a sample's task, as a checkpoint."""
    sizes = {"num_attention_heads": 4, "intermediate_size": 64, "initializer_range": 0.2}
    base = write_base(folder.with_name(f"{folder.name}_base"), **(sizes | config))
    data = part_of(name, train=1, dev=1)
    model = load_model(base, task=TASKS[name], labels=data.outputs, seed=3)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    save_model(model, folder, tokenizer_from=base)
    return folder


def prepared_teacher(
    folder: Path, name: str, *, train: int = 24, dev: int = 8, **config: Any
) -> PreparedModel:
    """A tiny teacher with some data of a sample."""
    checkpoint = write_teacher(folder / "teacher", name, **config)
    return prepared_model(checkpoint, part_of(name, train=train, dev=dev), max_length=LENGTH)


def few_lines(folder: Path, name: str, *, train: int, dev: int) -> Path:
    """The first examples of a sample's files; of CMRC2018 the first articles."""
    if name != "cmrc2018":
        return data_folder(folder, name, train=train, dev=dev)
    folder.mkdir(parents=True)
    for split, count in (("train", train), ("dev", dev)):
        whole = json.loads((SAMPLES / f"data/{name}/{split}.json").read_text(encoding="utf-8"))
        some = {**whole, "data": whole["data"][:count]}
        (folder / f"{split}.json").write_text(json.dumps(some), encoding="utf-8")
    return folder


def loaded(folder: Path, *, task: str, labels: Sequence[str] | None = None, seed: int = 0) -> Any:
    """The model of a checkpoint; its modules are looked into, whose types torch does not tell."""
    return load_model(folder, task=task, labels=labels, seed=seed)


def answers_of(model: Any, batch: Any) -> torch.Tensor:
    """All scores of a model, side by side."""
    names = ("input_ids", "token_type_ids", "attention_mask")
    with torch.no_grad():
        found = model(**{name: batch[name] for name in names})
    parts = [found[name] for name in ("logits", "start_logits", "end_logits") if name in found]
    return torch.cat([part.flatten() for part in parts])


@contextmanager
def multiplied(layer: Any, part: str, factors: torch.Tensor) -> Iterator[None]:
    """What comes out of a layer's heads or neurons, times a factor for each feature."""
    places = {"heads": layer.attention.output.dense, "neurons": layer.output.dense}

    def hook(_module: Any, inputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor]:
        return (inputs[0] * factors.to(inputs[0]),)

    handle = places[part].register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def mask_of(kept: Kept, part: str, count: int, size: int) -> torch.Tensor:
    """1 for the features of what stays, 0 for the others."""
    mask = torch.zeros(count)
    mask[torch.from_numpy(getattr(kept, part))] = 1.0
    return mask.repeat_interleave(size)
