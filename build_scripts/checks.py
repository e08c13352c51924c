"""What has to fit together before anything is built: vocabulary, lengths and the model's tables."""

from pathlib import Path

from build_scripts.load.source import Source
from ernie_triton.errors import PipelineError, VocabularyError
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.vocabulary import PAD, Vocabulary, load_vocabulary

SPARE_VOCABULARY_ROWS = 127
"""Embedding rows without a token that are taken for padding of the table to a round size."""


def vocabulary_path(source: Source, spec: PipelineSpec) -> Path:
    """The vocabulary to build with: the one named, or the one beside the weights.

    Raises:
        VocabularyError: there is none.
    """
    path = spec.vocab or source.vocabulary
    if path is None:
        raise VocabularyError(f"{source.path} has no vocab.txt beside it; name one with --vocab")
    return path


def check_vocabulary(path: Path, source: Source, spec: PipelineSpec) -> Vocabulary:
    """Load the vocabulary and hold it against the model's tables.

    Raises:
        VocabularyError: it is damaged, or not this model's.
        PipelineError: the pipeline wants more positions or token types than the model has.
    """
    vocabulary = load_vocabulary(path)
    if source.model is None:
        return vocabulary
    encoder = source.model.encoder
    spare = encoder.vocabulary_size - vocabulary.size
    if not 0 <= spare <= SPARE_VOCABULARY_ROWS:
        raise VocabularyError(
            f"{path} has {vocabulary.size} tokens but the model embeds {encoder.vocabulary_size}; "
            f"use the vocabulary it was trained with (or add lines such as [unused1] for rows that "
            f"really have no token)"
        )
    if vocabulary.ids[PAD] != encoder.pad_token_id:
        raise VocabularyError(
            f"{path} has {PAD} at {vocabulary.ids[PAD]} but the model masks token "
            f"{encoder.pad_token_id}; use the vocabulary it was trained with"
        )
    if spec.max_length > encoder.max_positions:
        raise PipelineError(
            f"max_length is {spec.max_length} but the model has positions for "
            f"{encoder.max_positions} tokens"
        )
    if spec.pair and len(encoder.token_type) < 2:
        raise PipelineError("pairs need two token types and the model has one")
    return vocabulary
