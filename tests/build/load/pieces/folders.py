"""Folders of tokenizers of pieces: XLM-RoBERTa's, and one of byte-level pieces."""

import functools
import json
import shutil
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors, trainers

from ernie_triton.build.load.settings import vocabulary_beside
from ernie_triton.build.load.tokenizers.tokenizer_files import read_vocabulary
from ernie_triton.tokenizer.encoder import TextEncoder
from tests.paths import FIXTURES

MODEL = FIXTURES / "sentencepiece/sentencepiece.bpe.model"
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def model_folder(folder: Path, **settings: Any) -> Path:
    """A folder with the SentencePiece model alone."""
    folder.mkdir(exist_ok=True, parents=True)
    shutil.copy(MODEL, folder)
    written = {"tokenizer_class": "XLMRobertaTokenizer", "sp_model_kwargs": {}, **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(written), encoding="utf-8")
    if not (folder / "config.json").is_file():
        (folder / "config.json").write_text('{"model_type": "xlm-roberta"}', encoding="utf-8")
    return folder


def document_folder(folder: Path, **settings: Any) -> Path:
    """The same with a `tokenizer.json` in place of the model."""
    vocabulary = read_vocabulary(model_folder(folder, **settings) / MODEL.name, folder)
    (folder / MODEL.name).unlink()
    (folder / "tokenizer.json").write_text(vocabulary.document, encoding="utf-8")
    return folder


def byte_folder(folder: Path) -> Path:
    """A folder of RoBERTa's byte-level pieces, trained on this file."""
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text(_byte_document(), encoding="utf-8")
    settings = '{"tokenizer_class": "RobertaTokenizer", "add_prefix_space": false}'
    (folder / "tokenizer_config.json").write_text(settings, encoding="utf-8")
    (folder / "config.json").write_text('{"model_type": "roberta"}', encoding="utf-8")
    return folder


@functools.cache
def _byte_document() -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    specials = [AddedToken(name, lstrip=name == "<mask>") for name in SPECIALS]
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(Path(__file__).read_text("utf-8").splitlines(), trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    text: str = tokenizer.to_str()
    return text


def encoder_of(folder: Path, max_length: int = 512) -> TextEncoder:
    """The encoder of a folder's tokenizer."""
    path = vocabulary_beside(folder)
    assert path is not None
    vocabulary = read_vocabulary(path, folder)
    return TextEncoder(vocabulary, max_length=max_length, lower_case=False)
