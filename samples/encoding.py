"""Texts as the tensors of a batch, by transformers' BertTokenizer."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import BertTokenizer

MAX_LENGTH = 128


def load_tokenizer(folder: Path) -> "BertTokenizer":
    """Read the tokenizer of a folder with vocab.txt and tokenizer_config.json."""
    from transformers import BertTokenizer

    tokenizer: BertTokenizer = BertTokenizer.from_pretrained(str(folder), local_files_only=True)
    return tokenizer


def encode_texts(
    tokenizer: "BertTokenizer", texts: Sequence[tuple[str, ...]]
) -> "dict[str, torch.Tensor]":
    """Tokenise single texts or pairs.

    Returns:
        `input_ids`, `token_type_ids`, `attention_mask`: int64 [batch, longest]; a pair is
        [CLS] a [SEP] b [SEP] with token types 0 and 1.
    """
    columns = [[row[i] for row in texts] for i in range(len(texts[0]))]
    batch = tokenizer(
        *columns, padding=True, truncation=True, max_length=MAX_LENGTH, return_tensors="pt"
    )
    return dict(batch)
