"""A small data set that can be learned, and a teacher of it that need not learn."""

import json
from pathlib import Path

import numpy as np
import torch
import transformers

from ernie_triton.training.datasets import DataSet, LabelledText
from tests.build.models import save_transformers, vocabulary_lines

WORDS = ("经济", "体育", "电影")
"""Each label's word; what else stands in a text says nothing."""

LABELS = ("财经", "体坛", "娱乐")


def vocabulary() -> list[str]:
    letters = [letter for word in WORDS for letter in word]
    return list(dict.fromkeys([*vocabulary_lines(), *letters]))


def data_in(folder: Path, *, train: int = 200, dev: int = 60, pair: bool = False) -> DataSet:
    """Texts of common characters with one label's word among them."""
    random = np.random.default_rng(0)
    common = [token for token in vocabulary()[5:60] if token not in "".join(WORDS)]

    def examples(count: int) -> tuple[LabelledText, ...]:
        made = []
        for line in range(1, count + 1):
            label = int(random.integers(len(WORDS)))
            rest = random.choice(common, random.integers(2, 12)).tolist()
            rest.insert(int(random.integers(len(rest) + 1)), WORDS[label])
            texts = ("".join(rest), "好") if pair else ("".join(rest),)
            made.append(LabelledText(texts=texts, target=label, line=line))
        return tuple(made)

    return DataSet(
        name="single",
        task="seq_cls",
        pair=pair,
        labels=LABELS,
        train=examples(train),
        dev=examples(dev),
        train_path=folder / "train.json",
        dev_path=folder / "dev.json",
    )


def save_teacher(folder: Path, *, labels: tuple[str, ...] = LABELS) -> Path:
    """An ERNIE of one layer that attends to nothing and counts the words' characters.

    The embeddings of a word's characters point to its label, all others are zero; the mean that
    attention without queries takes of them, times a large factor, decides.
    """
    words = vocabulary()
    config = transformers.ErnieConfig(
        vocab_size=len(words),
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=4,
        max_position_embeddings=64,
        use_task_id=False,
        id2label=dict(enumerate(labels)),
    )
    model = transformers.ErnieForSequenceClassification(config)
    state = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
    for name in state:
        if name.endswith("LayerNorm.weight"):
            state[name] += 1.0
    table = torch.zeros(len(words), 12)
    for label, word in enumerate(WORDS):
        for letter in word:
            table[words.index(letter), label] = 6.0
            table[words.index(letter), 11] = -6.0
    state["ernie.embeddings.word_embeddings.weight"] = table
    layer = "ernie.encoder.layer.0.attention"
    state[f"{layer}.self.value.weight"] = torch.eye(12)
    state[f"{layer}.output.dense.weight"] = 20.0 * torch.eye(12)
    state["ernie.pooler.dense.weight"] = 0.5 * torch.eye(12)
    for label in range(len(labels)):
        state["classifier.weight"][label, label] = 8.0
    model.load_state_dict(state)
    save_transformers(model, folder, vocabulary=words)
    settings = json.dumps({"do_lower_case": True, "tokenizer_class": "BertTokenizer"})
    (folder / "tokenizer_config.json").write_text(settings, encoding="utf-8")
    return folder
