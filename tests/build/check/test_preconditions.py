"""Vocabulary, lengths and tables have to fit before anything is built."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.build.check.preconditions import bounded_length, check_vocabulary, vocabulary_path
from ernie_triton.build.load.source import Source
from ernie_triton.errors import PipelineError, VocabularyError
from ernie_triton.tokenizer.encoder import TextEncoder
from tests.build.load.exports import PrunedClassifier, randomised
from tests.build.models import pruned_model, spec_of, vocabulary_lines, write_vocabulary

SPECIAL = ("[UNK]", "[CLS]", "[SEP]", "[PAD]")
"""The pruned model masks token 3; it has 60 tokens, 16 positions and one token type."""


def source_of(vocabulary: Path | None = None) -> Source:
    model = pruned_model(randomised(PrunedClassifier()))
    return Source(kind="ONNX graph", path=Path("m.onnx"), model=model, vocabulary=vocabulary)


def vocabulary_of(folder: Path, size: int) -> Path:
    return write_vocabulary(folder / "vocab.txt", vocabulary_lines(size, SPECIAL))


def test_the_vocabulary_named_wins_over_the_one_beside_the_weights() -> None:
    beside, named = Path("beside/vocab.txt"), Path("named.txt")
    assert vocabulary_path(source_of(beside), spec_of()) == beside
    assert vocabulary_path(source_of(beside), spec_of(vocab=named)) == named
    with pytest.raises(VocabularyError, match=r"m\.onnx has no vocab\.txt beside it"):
        vocabulary_path(source_of(), spec_of())


@pytest.mark.parametrize("size", [60, 59, 40])
def test_a_vocabulary_of_the_table_s_size_fits_and_so_does_one_with_rows_to_spare(
    tmp_path: Path, size: int
) -> None:
    path = vocabulary_of(tmp_path, size)
    assert check_vocabulary(path, source_of(), spec_of(max_length=16)).size == size


def test_pairs_without_token_types_have_one_type(tmp_path: Path) -> None:
    path = vocabulary_of(tmp_path, 60)
    assert not check_vocabulary(path, source_of(path), spec_of(max_length=16)).rules.one_type
    settings = '{"model_input_names": ["input_ids", "attention_mask"]}'
    (tmp_path / "tokenizer_config.json").write_text(settings, encoding="utf-8")
    vocabulary = check_vocabulary(path, source_of(path), spec_of(max_length=16, pair=True))
    assert vocabulary.rules.one_type
    encoder = TextEncoder(vocabulary, max_length=16, lower_case=True)
    assert not encoder.encode(["一"], ["二"]).token_type_ids.any()


def test_rows_are_no_longer_than_the_tokenizer_allows(tmp_path: Path) -> None:
    source = source_of(vocabulary_of(tmp_path, 60))
    assert bounded_length(spec_of(max_length=16), source).max_length == 16
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 9}', encoding="utf-8")
    assert bounded_length(spec_of(max_length=16), source).max_length == 9
    assert bounded_length(spec_of(max_length=8), source).max_length == 8


def test_words_of_chinese_are_refused_for_tasks_that_label_words(tmp_path: Path) -> None:
    path = vocabulary_of(tmp_path, 60)
    source = dataclasses.replace(source_of(), tokenize_chinese_chars=False)
    with pytest.raises(
        PipelineError, match=r"m\.onnx reads a run of Chinese as one word .*token_cls"
    ):
        check_vocabulary(path, source, spec_of(task="token_cls", max_length=16))
    for task in ("seq_cls", "multi_label", "regression", "embedding"):
        assert check_vocabulary(path, source, spec_of(task=task, max_length=16)).size == 60


def test_a_vocabulary_larger_than_the_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="has 61 tokens but the model embeds 60"):
        check_vocabulary(vocabulary_of(tmp_path, 61), source_of(), spec_of(max_length=16))


def test_padding_at_another_place_is_refused(tmp_path: Path) -> None:
    path = write_vocabulary(tmp_path / "vocab.txt", vocabulary_lines(60))
    with pytest.raises(VocabularyError, match=r"\[PAD\] at 0 but the model masks token 3"):
        check_vocabulary(path, source_of(), spec_of(max_length=16))


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"max_length": 17}, "max_length is 17 but the model has positions for 16 tokens"),
        ({"max_length": 16, "pair": True}, "pairs need two token types and the model has one"),
    ],
)
def test_more_than_the_model_s_tables_hold_is_refused(
    tmp_path: Path, options: dict[str, Any], fault: str
) -> None:
    with pytest.raises(PipelineError, match=fault):
        check_vocabulary(vocabulary_of(tmp_path, 60), source_of(), spec_of(**options))


def test_a_graph_that_was_not_recognised_has_no_tables_to_check(tmp_path: Path) -> None:
    source = Source(kind="ONNX graph", path=Path("m.onnx"), model=None, unrecognised="a Conv")
    path = vocabulary_of(tmp_path, 61)
    assert check_vocabulary(path, source, spec_of(max_length=512)).size == 61
