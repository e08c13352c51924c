"""Shared by several modules: a vocabulary that hides no mistake, and both tokenizers on it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import load_vocabulary
from tests.tokenizer.original_tokenizer import OriginalTokenizer, write_rich_vocabulary

LONGER_THAN_ANY_TEXT = 10_000_000


@pytest.fixture(scope="session")
def rich_vocab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `vocab.txt` with every assigned character and some words."""
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    write_rich_vocabulary(path)
    return path


@pytest.fixture(scope="session")
def encoders(rich_vocab: Path) -> Mapping[bool, TextEncoder]:
    """Our tokenizers of the rich vocabulary, by whether they fold case; they cut nothing."""
    vocabulary = load_vocabulary(rich_vocab)
    return {
        lower_case: TextEncoder(vocabulary, max_length=LONGER_THAN_ANY_TEXT, lower_case=lower_case)
        for lower_case in (True, False)
    }


@pytest.fixture(scope="session")
def originals(rich_vocab: Path) -> Mapping[bool, OriginalTokenizer]:
    """The original tokenizers of the rich vocabulary, by whether they fold case."""
    return {
        lower_case: OriginalTokenizer(rich_vocab, lower_case=lower_case)
        for lower_case in (True, False)
    }
