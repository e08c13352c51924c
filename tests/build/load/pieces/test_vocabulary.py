"""Tokenizers of pieces are read from what transformers writes, or refused by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from ernie_triton.build.load.settings import folds_case, splits_ideographs, vocabulary_beside
from ernie_triton.build.load.tokenizers.tokenizer_files import read_vocabulary
from ernie_triton.errors import ErnieTritonError
from ernie_triton.tokenizer.rules import TokenRules
from ernie_triton.tokenizer.vocabulary import stage_vocabulary, write_stage_vocabulary
from tests.build.load.pieces.folders import byte_folder, document_folder, encoder_of, model_folder

TEXT = "北京的涮肉①<mask>好 iPhone"


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    path = folder / "tokenizer.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    return folder


def refusal(folder: Path) -> str:
    path = vocabulary_beside(folder)
    assert path is not None
    with pytest.raises(ErnieTritonError) as caught:
        read_vocabulary(path, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("make", [document_folder, byte_folder])
def test_what_transformers_saves_is_read_as_it_was(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    folder = make(tmp_path / "made")
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "saved")
    expected = encoder_of(folder).encode([TEXT]).input_ids.tolist()
    assert encoder_of(tmp_path / "saved").encode([TEXT]).input_ids.tolist() == expected
    assert not folds_case(tmp_path / "saved")
    assert splits_ideographs(tmp_path / "saved")


def test_a_sentencepiece_model_alone_is_read_as_its_document(tmp_path: Path) -> None:
    folder, other = model_folder(tmp_path / "model"), document_folder(tmp_path / "document")
    found, expected = (encoder_of(one).encode([TEXT]).input_ids.tolist() for one in (folder, other))
    assert found == expected


def test_a_stage_reads_back_what_a_build_writes(tmp_path: Path) -> None:
    vocabulary = read_vocabulary(document_folder(tmp_path) / "tokenizer.json", tmp_path)
    stage = tmp_path / "stage"
    stage.mkdir()
    assert write_stage_vocabulary(vocabulary, stage).name == "tokenizer.json"
    rules = TokenRules.from_text(vocabulary.rules.to_text())
    assert stage_vocabulary(stage, rules) == vocabulary
    (stage / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ErnieTritonError, match="holds no pieces with their ids"):
        stage_vocabulary(stage, rules)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["model"].update(dropout=0.1, type="BPE"), "model.dropout is 0.1"),
        (lambda d: d.update(post_processor=None), "post_processor is None"),
        (lambda d: d["post_processor"]["single"].pop(), "post_processor makes rows of <s> $A </s>"),
        (
            lambda d: d.update(truncation={"direction": "Left", "max_length": 9}),
            "truncation.direction is 'Left'",
        ),
        (lambda d: d["model"].update(type="WordLevel"), "model.type is 'WordLevel'"),
    ],
)
def test_a_part_that_is_not_read_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    assert message in refusal(changed(document_folder(tmp_path), change))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tokenizer_class": "DebertaV2Tokenizer"}, "tokenizer_class is 'DebertaV2Tokenizer'"),
        ({"sp_model_kwargs": {"enable_sampling": True}}, "sp_model_kwargs is"),
        ({"do_lower_case": True}, "do_lower_case is True"),
        ({"cls_token": "<unk>"}, "cls_token is '<unk>', and rows of tokenizer.json have '<s>'"),
        ({"extra_special_tokens": ["[new]"]}, "the added token '[new]' is not in the vocabulary"),
    ],
)
def test_a_setting_that_is_not_read_is_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    folder = document_folder(tmp_path)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    assert message in refusal(folder)


def test_another_model_of_sentencepiece_is_refused_by_name(tmp_path: Path) -> None:
    folder = model_folder(tmp_path)
    (folder / "sentencepiece.bpe.model").write_bytes(b"\x12\x02\x18\x02")
    assert "is a SentencePiece model of type 2" in refusal(folder)
    (folder / "sentencepiece.bpe.model").write_bytes(b"version https://git-lfs")
    assert "is no SentencePiece model" in refusal(folder)
