"""Write a base to fine-tune from: sizes and a vocabulary, and for some tasks weights."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.build.load.weight_files import TOKEN_HEAD_FILES
from ernie_triton.build.random_models.checkpoint import check_shape, ernie_config
from ernie_triton.build.torch_models.checkpoints import load_model, save_model
from ernie_triton.build.torch_models.token_heads import torch_content
from ernie_triton.errors import CheckpointError
from ernie_triton.model_shapes import Shape
from samples.errors import DataError
from samples.recipes import TinyModel

BASE_POSITIONS = 512
"""Most tokens of a row, unless another number is given."""

WIDE_DEVIATION = 0.05
"""Of the random weights of a model whose first layers are not random."""

_GAIN = 1.6
"""Of the weights that look at a neighbour: it gets most of a head's attention, but not all."""

_SPECIAL_TOKENS = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}


def write_base(
    shape: Shape,
    vocab: Path,
    folder: Path,
    *,
    positions: int = BASE_POSITIONS,
    more_config: dict[str, object] | None = None,
) -> Path:
    """Write `config.json`, `vocab.txt` and the tokenizer's settings into a new folder.

    Args:
        shape: of the encoder.
        vocab: the vocabulary file.
        folder: to make.
        positions: most tokens of a row.
        more_config: further entries of `config.json`.

    Returns:
        The folder; fine-tuning draws weights for it.

    Raises:
        CheckpointError: the folder exists, or no model can have such a size.
        DataError: the vocabulary file is missing.
    """
    if folder.exists():
        raise CheckpointError(f"{folder} exists; name another folder, or remove it")
    check_shape(shape)
    if not vocab.is_file():
        raise DataError(f"{vocab} is missing; make it with `python -m samples vocabulary`")
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_bytes(vocab.read_bytes())
    tokenizer = {"do_lower_case": True, **_SPECIAL_TOKENS, "tokenizer_class": "BertTokenizer"}
    entries = len(vocab.read_text(encoding="utf-8").splitlines())
    config = ernie_config(shape, vocabulary_size=entries, positions=positions)
    for name, content in (
        ("tokenizer_config.json", tokenizer),
        ("config.json", {**config, **(more_config or {})}),
    ):
        text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return folder


def write_unweighted_base(model: TinyModel, vocab: Path, folder: Path) -> Path:
    """Write the sizes of a sample model and its vocabulary into a new folder; returns the folder.

    Raises:
        CheckpointError: the folder exists, or no model can have such a size.
        DataError: the vocabulary file is missing.
    """
    shape = Shape(
        layers=model.layers,
        hidden=model.hidden,
        heads=model.heads,
        feed_forward=model.feed_forward,
    )
    more_config: dict[str, object] = {"attention_probs_dropout_prob": model.attention_dropout}
    if model.comparing_layers or model.neighbours:
        more_config["initializer_range"] = WIDE_DEVIATION
    return write_base(shape, vocab, folder, positions=model.positions, more_config=more_config)


def write_tiny_base(model: TinyModel, vocab: Path, folder: Path, *, seed: int) -> Path:
    """Write the base of a sample model into a new folder; returns the folder that has it.

    Raises:
        CheckpointError: the folder exists, or no model can have such a size.
        DataError: the vocabulary file is missing.
        MissingExtraError: torch or transformers is not installed.
    """
    base = write_unweighted_base(model, vocab, folder)
    if model.token_vectors:
        _write_token_heads(base, model, seed)
    if not model.comparing_layers and not model.neighbours:
        return base
    encoder = load_model(base, task="embedding", seed=seed)
    # These arrays share the memory of the weights.
    weights = {name: one.detach().numpy() for name, one in encoder.named_parameters()}
    if model.comparing_layers:
        _compare(weights, model, seed)
    if model.neighbours:
        look_at_neighbours(weights, model, seed)
    with_weights = folder.with_name(f"{folder.name}_begun")
    save_model(encoder, with_weights, tokenizer_from=base)
    return with_weights


def _write_token_heads(folder: Path, model: TinyModel, seed: int) -> None:
    """Write random heads of tokens' weights and vectors, as torch begins layers."""
    import torch

    torch.manual_seed(seed)
    for head, width in (("lexical", 1), ("token_vector", model.token_vectors)):
        layer = torch.nn.Linear(model.hidden, width)
        (folder / TOKEN_HEAD_FILES[head]).write_bytes(torch_content(layer))


def _compare(weights: Mapping[str, Float32], model: TinyModel, seed: int) -> None:
    """Let a token of the lowest layers attend to equal tokens.

    Their query and key weights are equal ("mimetic initialisation", arXiv:2305.09828), and words
    outweigh positions and types. A small cross-encoder that begins otherwise stays at chance on
    pairs for tens of epochs.
    """
    weights["embeddings.position_embeddings.weight"] *= 0.2
    weights["embeddings.token_type_embeddings.weight"] *= 0.6
    random = np.random.default_rng(seed)
    for layer in range(model.comparing_layers):
        attention = f"encoder.layer.{layer}.attention.self"
        query = weights[f"{attention}.query.weight"]
        query[...] = random.normal(scale=model.comparing_deviation, size=query.shape)
        weights[f"{attention}.key.weight"][...] = query


def look_at_neighbours(weights: Mapping[str, Float32], model: TinyModel, seed: int) -> None:
    """Let the first heads of the lowest layers look at places near a token, as a convolution does.

    Positions are waves in as many features as a head has. Keys are these features, and queries are
    the same, turned on by the wanted distance. A small model of random weights needs many epochs
    to find its neighbours otherwise.
    """
    size = model.hidden // model.heads
    waves = np.random.default_rng(seed).uniform(0.05, np.pi, size // 2)
    places = np.arange(model.positions)[:, None] * waves
    table = weights["embeddings.position_embeddings.weight"]
    table[...] = 0.0
    table[:, :size:2], table[:, 1:size:2] = 0.08 * np.cos(places), 0.08 * np.sin(places)
    for layer, distances in enumerate(model.neighbours):
        attention = f"encoder.layer.{layer}.attention.self"
        for head, distance in enumerate(distances):
            features = slice(head * size, (head + 1) * size)
            weights[f"{attention}.key.weight"][features] = np.eye(size, model.hidden) * _GAIN
            turned = np.zeros((size, model.hidden), np.float32)
            even, odd = np.arange(0, size, 2), np.arange(1, size, 2)
            turned[even, even] = turned[odd, odd] = np.cos(distance * waves)
            turned[odd, even] = np.sin(distance * waves)
            turned[even, odd] = -turned[odd, even]
            weights[f"{attention}.query.weight"][features] = turned * _GAIN
