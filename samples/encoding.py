"""Examples as the tensors of a batch, by transformers' BertTokenizer."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from samples.examples import Example

if TYPE_CHECKING:
    import torch
    from transformers import BertTokenizer

MAX_LENGTH = 128


def load_tokenizer(folder: Path) -> "BertTokenizer":
    """Read the tokenizer of a folder with vocab.txt and tokenizer_config.json."""
    from transformers import BertTokenizer

    tokenizer: BertTokenizer = BertTokenizer.from_pretrained(str(folder), local_files_only=True)
    return tokenizer


def encode_examples(
    tokenizer: "BertTokenizer", examples: Sequence[Example]
) -> "dict[str, torch.Tensor]":
    """Tokenise a batch.

    Returns:
        `input_ids`, `token_type_ids`, `attention_mask` (int64 [batch, longest]; a pair is
        [CLS] a [SEP] b [SEP] with token types 0 and 1) and `labels` (int64 [batch]).
    """
    import torch

    columns = [[example.texts[i] for example in examples] for i in range(len(examples[0].texts))]
    batch = tokenizer(
        *columns, padding=True, truncation=True, max_length=MAX_LENGTH, return_tensors="pt"
    )
    return {**batch, "labels": torch.tensor([example.label_id for example in examples])}
