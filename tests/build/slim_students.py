"""Small students of random weights: as torch modules, as models, as checkpoints."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ernie_triton.batch import TokenBatch
from ernie_triton.build.load.slim import SlimConfig, slim_from_state
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.training.compression.slim.checkpoints import save_student
from ernie_triton.training.compression.slim.modules import SlimClassifier
from ernie_triton.training.datasets import DataSet
from tests.build.models import LABELS, single_rows, vocabulary_lines, write_vocabulary

SHAPES: dict[str, dict[str, Any]] = {
    "words": {"kind": "bow"},
    "bigrams": {"kind": "bow", "bigram_buckets": 37},
    "windows": {"kind": "cnn", "filters": (5, 6, 7)},
    "one window": {"kind": "cnn", "filters": (4,)},
}
"""By name, what differs between them."""


def config_of(name: str = "bigrams", **settings: Any) -> SlimConfig:
    values = {
        "vocab_size": len(vocabulary_lines()),
        "embedding_size": 8,
        "bigram_buckets": 0,
        "filters": (),
        "hidden_size": 12,
        "pair": False,
        "pad_token_id": 0,
        "max_position_embeddings": 160,
    }
    return SlimConfig(**{**values, **SHAPES[name], **settings})


def student(name: str = "bigrams", *, labels: int = len(LABELS), **settings: Any) -> SlimClassifier:
    """A module with logits of about 1."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        module = SlimClassifier(config_of(name, **settings), labels)
        for weights in module.parameters():
            torch.nn.init.normal_(weights, std=0.5)
    return module.eval()


def model_of(module: SlimClassifier) -> SlimModel:
    state = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    return slim_from_state(state, module.slim, "here")


def torch_logits(module: SlimClassifier, batch: TokenBatch) -> npt.NDArray[np.float32]:
    """Compute the module's logits for each row, unpadded."""
    with torch.inference_mode():
        answers = [
            module(*(torch.from_numpy(values.astype(np.int64))[None] for values in row)).logits[0]
            for row in single_rows(batch)
        ]
    return np.array(answers)


def pair_types(lengths: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The token types of pairs whose second text is the longer half of each row."""
    is_second = [np.arange(n) >= max(n // 2, 1) for n in lengths.tolist()]
    return np.asarray(np.concatenate(is_second), np.int32)


def data_of(
    folder: Path, *, task: str = "seq_cls", labels: tuple[str, ...] = LABELS, pair: bool = False
) -> DataSet:
    """A data set without examples."""
    return DataSet(
        name="single",
        task=task,
        pair=pair,
        labels=() if task == "regression" else labels,
        train=(),
        dev=(),
        train_path=folder / "train.json",
        dev_path=folder / "dev.json",
    )


def save_checkpoint(
    module: SlimClassifier, folder: Path, *, task: str = "seq_cls", **data: Any
) -> Path:
    """Write the folder of a distilled student."""
    tokenizer = folder.with_name(f"{folder.name}.tokenizer")
    tokenizer.mkdir(parents=True, exist_ok=True)
    write_vocabulary(tokenizer / "vocab.txt", vocabulary_lines())
    save_student(
        module,
        folder,
        data=data_of(folder, task=task, pair=module.slim.pair, **data),
        tokenizer_from=tokenizer,
    )
    return folder
