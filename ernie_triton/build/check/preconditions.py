"""Check before a build that vocabulary, lengths and the model's tables fit together."""

import dataclasses
from pathlib import Path

from ernie_triton.build.load.source import Source
from ernie_triton.build.load.tokenizers.tokenizer_files import longest_row, read_vocabulary
from ernie_triton.build.model.models import AnyModel, Model
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.errors import PipelineError, VocabularyError
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.tasks import task_named
from ernie_triton.tokenizer.vocabulary import Vocabulary

SPARE_VOCABULARY_ROWS = 127
"""Embedding rows without a token that are taken for padding of the table to a round size."""


def vocabulary_path(source: Source, spec: PipelineSpec) -> Path:
    """The vocabulary to build with: the one named, or the one beside the weights.

    Raises:
        VocabularyError: there is none.
    """
    path = spec.vocab or source.vocabulary
    if path is None:
        raise VocabularyError(
            f"{source.path} has no vocab.txt beside it, nor a tokenizer.json; name one with --vocab"
        )
    return path


def tokenizer_folder(source: Source) -> Path:
    """The folder that holds the settings of the source's tokenizer."""
    if source.vocabulary is not None:
        return source.vocabulary.parent
    return source.path if source.path.is_dir() else source.path.parent


def bounded_length(spec: PipelineSpec, source: Source) -> PipelineSpec:
    """The pipeline with rows no longer than the tokenizer's `model_max_length`."""
    most = longest_row(tokenizer_folder(source))
    if most is None or spec.max_length <= most:
        return spec
    return dataclasses.replace(spec, max_length=most)


def check_vocabulary(path: Path, source: Source, spec: PipelineSpec) -> Vocabulary:
    """Load the vocabulary and hold it against the model's tables.

    Raises:
        VocabularyError: it is damaged, or not this model's.
        PipelineError: the pipeline wants more positions or token types than the model has, or
            labels for characters that the tokenizer does not part.
    """
    if not source.tokenize_chinese_chars and task_named(spec.task).head == "token":
        raise PipelineError(
            f"{source.path} reads a run of Chinese as one word (tokenize_chinese_chars is false), "
            f"and {spec.task} labels words: entities would be whole runs; use a model that reads "
            f"single characters"
        )
    vocabulary = read_vocabulary(path, tokenizer_folder(source), lower_case=source.lower_case)
    if source.model is None:
        return vocabulary
    model = source.model
    spare = model.vocabulary_size - vocabulary.rows
    if not 0 <= spare <= SPARE_VOCABULARY_ROWS:
        raise VocabularyError(
            f"{path} has {vocabulary.rows} tokens but the model embeds {model.vocabulary_size}; "
            f"use the vocabulary it was trained with (or add lines such as [unused1] for rows that "
            f"really have no token)"
        )
    if vocabulary.pad_id != model.pad_token_id:
        raise VocabularyError(
            f"{path} has {vocabulary.rules.names.pad} at {vocabulary.pad_id} but the model masks "
            f"token {model.pad_token_id}; use the vocabulary it was trained with"
        )
    if spec.max_length > model.max_positions:
        raise PipelineError(
            f"max_length is {spec.max_length} but the model has positions for "
            f"{model.max_positions} tokens"
        )
    if spec.pair and model.token_types < 2 and not vocabulary.rules.one_type:
        raise PipelineError(
            "pairs need two token types and the model has one; if it was trained without, put "
            '"model_input_names": ["input_ids", "attention_mask"] into tokenizer_config.json'
        )
    return _with_padding(vocabulary, model)


def _with_padding(vocabulary: Vocabulary, model: AnyModel) -> Vocabulary:
    """The vocabulary with the token for the padding that a model attends to, where it does."""
    padding = model.encoder.padding if isinstance(model, Model) else None
    if padding is None:
        return vocabulary
    rules = dataclasses.replace(vocabulary.rules, last_token=padding.token_id)
    return dataclasses.replace(vocabulary, rules=rules)


def check_student(source: Source, spec: PipelineSpec) -> None:
    """Refuse what a bag-of-words or convolution student cannot be built as.

    Raises:
        PipelineError: it reads pairs and the pipeline single texts, or the engine or its precision
            needs a graph that it does not have.
    """
    model = source.model
    if not isinstance(model, SlimModel):
        return
    if model.pair and not spec.pair:
        raise PipelineError(f"the {model.kind} student in {source.path} reads pairs; add --pair")
    if spec.engine == "tensorrt" or spec.device == "gpu" or spec.precision in ("fp16", "int8"):
        raise PipelineError(
            f"the {model.kind} student in {source.path} is served on a CPU in fp32, or in bf16 by "
            f"openvino; found the engine {spec.engine} in {spec.precision} on {spec.device}"
        )
