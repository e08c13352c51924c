"""A base to fine-tune from without any download: sizes and a vocabulary, no weights."""

from pathlib import Path

from ernie_triton.build.random_models.checkpoint import check_shape, ernie_config
from ernie_triton.errors import CheckpointError
from ernie_triton.model_shapes import Shape
from samples.checkpoints import write_tokenizer
from samples.files import write_json

POSITIONS = 512


def write_base(shape: Shape, vocab: Path, folder: Path) -> Path:
    """Write `config.json`, `vocab.txt` and the tokenizer's settings into a new folder.

    Returns:
        The folder; `ernie_triton.training.finetune` draws weights for it.

    Raises:
        CheckpointError: the folder exists, or a size is none that a model can have.
        DataError: the vocabulary file is missing.
    """
    if folder.exists():
        raise CheckpointError(f"{folder} exists; name another folder, or remove it")
    check_shape(shape)
    write_tokenizer(folder, vocab, "transformers")
    entries = len(vocab.read_text(encoding="utf-8").splitlines())
    config = ernie_config(shape, vocabulary_size=entries, positions=POSITIONS)
    write_json(folder / "config.json", config)
    return folder
