"""A base to fine-tune from without any download: sizes and a vocabulary, no weights."""

from pathlib import Path

from ernie_triton.errors import CheckpointError
from ernie_triton.family import TASK_TYPES, TOKEN_TYPES, Shape
from samples.checkpoints import write_tokenizer
from samples.files import write_json

POSITIONS = 512


def write_base(shape: Shape, vocab: Path, folder: Path) -> Path:
    """Write `config.json`, `vocab.txt` and the tokenizer's settings into a new folder.

    Returns:
        The folder; `build_scripts.finetune` draws weights for it.

    Raises:
        CheckpointError: the folder exists, or the heads do not divide the width.
        DataError: the vocabulary file is missing.
    """
    if folder.exists():
        raise CheckpointError(f"{folder} exists; name another folder, or remove it")
    if shape.hidden % shape.heads:
        raise CheckpointError(f"hidden is {shape.hidden}, which {shape.heads} heads do not divide")
    write_tokenizer(folder, vocab, "transformers")
    entries = len(vocab.read_text(encoding="utf-8").splitlines())
    config = {
        "architectures": ["ErnieForSequenceClassification"],
        "model_type": "ernie",
        "hidden_act": "gelu",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.feed_forward,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": TOKEN_TYPES,
        "task_type_vocab_size": TASK_TYPES,
        "use_task_id": True,
        "task_id": 0,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        "vocab_size": entries,
    }
    write_json(folder / "config.json", config)
    return folder
