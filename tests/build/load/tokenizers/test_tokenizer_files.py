"""Every setting of a tokenizer is honoured as transformers does, or refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.normalizers import BertNormalizer
from transformers import AutoTokenizer, BertTokenizer

from ernie_triton.build.load.settings import folds_case, splits_ideographs, vocabulary_beside
from ernie_triton.build.load.tokenizers.tokenizer_files import (
    longest_row,
    read_vocabulary,
    settings_of_rules,
)
from ernie_triton.errors import CheckpointError, ErnieTritonError, VocabularyError
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.rules import ORDINARY, AddedToken, TokenRules
from ernie_triton.tokenizer.vocabulary import load_vocabulary, write_vocabulary_lines
from tests.tokenizer.original_tokenizer import LEGACY

LINES = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[E2]", "[unused1]", "<s>", "</s>", "<pad>"),
    *(
        "<unk>",
        "<mask>",
        "北",
        "京",
        "新",
        "词",
        "a",
        "A",
        "##b",
        "e",
        "é",
        "cafe",
        "café",
        "[",
        "]",
    ),
    *(
        "co",
        "##vid",
        "Co",
        "unused",
        "##1",
        "1",
        "2",
        ",",
        "，",
        "e1",
        "e2",
        "E1",
        "E2",
        "<",
        ">",
        "s",
    ),
)
TEXTS = (
    "北京[E1]新词[E2]a",
    "[e1] covid Covid COVID,ab",
    "café CAFÉ é, [unused1][unused1] [UNK]",
    " [unused1] ，</s><s>北1[MASK]新 词",
    "[E1]" * 3 + "2é" * 200,
)
E1_BEHIND = {
    str(len(LINES)): {
        "content": "[E1]",
        **dict.fromkeys(("lstrip", "rstrip", "single_word", "normalized"), False),
        "special": True,
    }
}
WORD_BEHIND = {str(len(LINES)): {**E1_BEHIND[str(len(LINES))], "content": "新词"}}
WORD_BEHIND[str(len(LINES))] |= {"special": False, "normalized": True}
OTHER_NAMES = {
    **{"unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"},
    **{"pad_token": "<pad>", "mask_token": "<mask>"},
}


def saved(folder: Path, settings: dict[str, Any] | None = None, **files: Any) -> Path:
    """A folder of `vocab.txt`, the tokenizer's settings and further JSON files."""
    folder.mkdir(exist_ok=True)
    lines = "".join(f"{line}\n" for line in LINES)
    (folder / "vocab.txt").write_text(lines, encoding="utf-8")
    documents = {"tokenizer_config": settings, "config": {"model_type": "bert"}, **files}
    for name, values in documents.items():
        if values is not None:
            (folder / f"{name}.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


def ids_of(folder: Path, max_length: int = 512) -> list[list[int]]:
    path = vocabulary_beside(folder)
    assert path is not None
    encoder = TextEncoder(
        read_vocabulary(path, folder),
        max_length=max_length,
        lower_case=folds_case(folder),
        tokenize_chinese_chars=splits_ideographs(folder),
    )
    return [encoder.encode([text]).input_ids.tolist() for text in TEXTS]


def original_ids(folder: Path) -> list[list[int]]:
    original = LEGACY.BertTokenizerLegacy.from_pretrained(folder)
    return [original(text, truncation=True, max_length=512).input_ids for text in TEXTS]


@pytest.mark.parametrize("lower_case", [True, False], ids=["uncased", "cased"])
@pytest.mark.parametrize(
    ("settings", "files"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"added_tokens_decoder": E1_BEHIND}, {}, id="added_tokens_decoder"),
        pytest.param(
            {"added_tokens_decoder": E1_BEHIND, "additional_special_tokens": ["[E1]", "[E2]"]},
            {"added_tokens": {"[E1]": len(LINES)}},
            id="behind and in the vocabulary",
        ),
        pytest.param(
            {"additional_special_tokens": ["[E1]"]},
            {"added_tokens": {"[E1]": len(LINES)}},
            id="added_tokens.json",
        ),
        pytest.param({"additional_special_tokens": ["[E2]"]}, {}, id="a line of the vocabulary"),
        pytest.param({"additional_special_tokens": ["[E1]"]}, {}, id="without an id"),
        pytest.param({"added_tokens_decoder": WORD_BEHIND}, {}, id="a word of Chinese"),
        pytest.param(OTHER_NAMES, {}, id="other names"),
        pytest.param({}, {"special_tokens_map": OTHER_NAMES}, id="other names in the map"),
        pytest.param({"bos_token": "[E2]"}, {}, id="a first token"),
        pytest.param({"never_split": ["[unused1]", "COVID"]}, {}, id="never_split"),
        pytest.param({"do_basic_tokenize": False}, {}, id="do_basic_tokenize"),
        pytest.param({"strip_accents": False}, {}, id="accents stay"),
        pytest.param({"strip_accents": True}, {}, id="accents go"),
        pytest.param({"tokenize_chinese_chars": False}, {}, id="tokenize_chinese_chars"),
    ],
)
def test_ids_are_those_of_the_original_tokenizer(
    settings: dict[str, Any], files: dict[str, Any], lower_case: bool, tmp_path: Path
) -> None:
    folder = saved(tmp_path, {**settings, "do_lower_case": lower_case}, **files)
    assert ids_of(folder) == original_ids(folder)


@pytest.mark.parametrize("lower_case", [True, False], ids=["uncased", "cased"])
def test_what_transformers_5_saves_without_vocab_txt_has_its_ids(
    lower_case: bool, tmp_path: Path
) -> None:
    source = saved(tmp_path / "source", {"do_lower_case": lower_case})
    tokenizer = BertTokenizer.from_pretrained(source)
    tokenizer.add_special_tokens({"additional_special_tokens": ["[E1]", "[E2]"]})
    tokenizer.add_tokens(["Covid", "新词"])
    tokenizer.save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved/vocab.txt").exists()
    expected = [tokenizer(text, truncation=True, max_length=512).input_ids for text in TEXTS]
    assert ids_of(tmp_path / "saved") == expected
    written = tmp_path / "vocab.txt"
    vocabulary = read_vocabulary(tmp_path / "saved/tokenizer.json", tmp_path / "saved")
    write_vocabulary_lines(vocabulary, written)
    assert load_vocabulary(written, vocabulary.rules) == vocabulary


def test_rules_come_back_from_the_settings_written_of_them(tmp_path: Path) -> None:
    given = {"never_split": ["ab"], "strip_accents": False, **OTHER_NAMES}
    folder = saved(tmp_path, {"added_tokens_decoder": {**E1_BEHIND}, **given})
    rules = read_vocabulary(folder / "vocab.txt", folder).rules
    again = saved(tmp_path / "again", settings_of_rules(rules))
    assert read_vocabulary(again / "vocab.txt", again).rules == rules
    assert settings_of_rules(ORDINARY) == {}
    assert TokenRules.from_text(rules.to_text()) == rules


def test_ordinary_settings_make_ordinary_rules(tmp_path: Path) -> None:
    tokenizer = BertTokenizer.from_pretrained(saved(tmp_path / "source"))
    tokenizer.save_pretrained(tmp_path / "saved")
    five = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    decoder = {str(LINES.index(one)): {"content": one, "special": True} for one in five}
    for folder in (tmp_path / "saved", saved(tmp_path, {"added_tokens_decoder": decoder})):
        path = vocabulary_beside(folder)
        assert path is not None
        assert read_vocabulary(path, folder).rules == ORDINARY


def test_lower_case_from_elsewhere_leaves_accents(tmp_path: Path) -> None:
    # sentence-transformers lower-cases texts by itself, before a cased tokenizer.
    folder = saved(tmp_path, {"do_lower_case": False})
    vocabulary = read_vocabulary(folder / "vocab.txt", folder, lower_case=True)
    ids = TextEncoder(vocabulary, max_length=9, lower_case=True).encode(["CAFÉ"]).input_ids
    assert ids.tolist() == [2, LINES.index("café"), 3]


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"tokenizer_class": "XLMRobertaTokenizer"}, "tokenizer_class is 'XLMRobertaTokenizer'"),
        ({"tokenizer_class": "DebertaV2TokenizerFast"}, "is 'DebertaV2TokenizerFast'"),
        ({"tokenizer_class": "BertJapaneseTokenizer"}, "is 'BertJapaneseTokenizer'"),
        ({"tokenizer_class": "TokenizersBackend"}, "is 'TokenizersBackend'"),
        ({"truncation_side": "left"}, "truncation_side is 'left'; only 'right' is supported"),
        ({"split_special_tokens": True}, "split_special_tokens is True"),
        ({"do_split_on_punc": False}, "do_split_on_punc is False"),
        ({"clean_text": False}, "clean_text is False"),
        ({"auto_map": {"AutoTokenizer": ["x.Y", None]}}, "auto_map is"),
        ({"strip_accents": "no"}, "strip_accents is 'no'; expected true, false or null"),
        ({"do_basic_tokenize": 0}, "do_basic_tokenize is 0; expected true or false"),
        ({"keep_accents": True}, "keep_accents is True; only False is supported"),
        ({"own_words": ["a"]}, r"has the key 'own_words' .*remove it if"),
        ({"add_two_sep_token_inter": True}, "add_two_sep_token_inter is True"),
        ({"never_split": "[E1]"}, r"never_split is '\[E1\]'; expected a list"),
        ({"added_tokens_decoder": ["[E1]"]}, "added_tokens_decoder is no object"),
        ({"added_tokens_decoder": {"x": {"content": "a"}}}, "the added token 'x' is"),
        (
            {"added_tokens_decoder": {"50": {"content": "[E1]", "single_word": True}}},
            r"the added token '\[E1\]' is single_word",
        ),
        (
            {"added_tokens_decoder": {"50": {"content": "[E1]", "normalized": False}}},
            r"the added token '\[E1\]' is not normalized",
        ),
    ],
)
def test_settings_that_cannot_be_honoured_are_refused_by_name(
    settings: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    folder = saved(tmp_path, settings)
    with pytest.raises(CheckpointError, match=fault):
        read_vocabulary(folder / "vocab.txt", folder)


def test_settings_that_change_no_id_are_passed(tmp_path: Path) -> None:
    settings = {"padding_side": "left", "name_or_path": "x", "stride": 0, "max_length": 512}
    folder = saved(tmp_path, {**settings, "processor_class": None, "own": None, "pieces": []})
    assert read_vocabulary(folder / "vocab.txt", folder).rules == ORDINARY


def test_a_class_in_config_json_counts_where_the_tokenizer_s_own_file_has_none(
    tmp_path: Path,
) -> None:
    folder = saved(tmp_path, {}, config={"tokenizer_class": "XLNetTokenizer"})
    with pytest.raises(CheckpointError, match=r"config.json: tokenizer_class is 'XLNetTokenizer'"):
        read_vocabulary(folder / "vocab.txt", folder)
    saved(tmp_path, {"tokenizer_class": "BertTokenizer"})
    assert read_vocabulary(folder / "vocab.txt", folder).size == len(LINES)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("sentencepiece.bpe.model", "is a SentencePiece model, which is read"),
        ("spiece.model", "is a SentencePiece model"),
        ("merges.txt", "holds the merges of a BPE tokenizer"),
    ],
)
def test_tokenizers_of_another_kind_are_refused_by_their_files(
    name: str, fault: str, tmp_path: Path
) -> None:
    folder = saved(tmp_path)
    (folder / name).touch()
    with pytest.raises(CheckpointError, match=fault):
        read_vocabulary(folder / "vocab.txt", folder)


def test_paddlenlp_s_chinese_albert_names_settings_of_the_english_one(tmp_path: Path) -> None:
    settings = {"tokenizer_class": "AlbertTokenizer", "remove_space": True, "keep_accents": False}
    folder = saved(tmp_path, settings | {"bos_token": "[CLS]", "eos_token": "[SEP]"})
    assert read_vocabulary(folder / "vocab.txt", folder).rules == ORDINARY


@pytest.mark.parametrize(
    "name",
    [
        *("BertTokenizerFast", "ErnieTokenizer", "ElectraTokenizer", "RobertaTokenizer"),
        *("ErnieGramTokenizer", "PPMiniLMTokenizer", "AlbertChineseTokenizer"),
    ],
)
def test_classes_that_tokenise_as_bert_does_are_read(name: str, tmp_path: Path) -> None:
    folder = saved(tmp_path, {"tokenizer_class": name})
    assert read_vocabulary(folder / "vocab.txt", folder).size == len(LINES)


@pytest.mark.parametrize(
    ("part", "value", "fault"),
    [
        ("model", {"type": "WordLevel"}, "model.type is 'WordLevel'; only 'WordPiece' is"),
        ("model", {"continuing_subword_prefix": "@@"}, "prefix is '@@'"),
        ("model", {"max_input_chars_per_word": 200}, "is 200; only 100"),
        ("normalizer", {"type": "Lowercase"}, "normalizer.type is 'Lowercase'"),
        ("normalizer", {"clean_text": False}, "normalizer.clean_text is False"),
        ("normalizer", {"lowercase": False}, "do_lower_case is True, and tokenizer.json"),
        ("pre_tokenizer", {"type": "Whitespace"}, "pre_tokenizer.type is 'Whitespace'"),
        ("post_processor", {"type": "RobertaProcessing"}, "is 'RobertaProcessing'"),
        ("post_processor", {"pair": []}, "post_processor makes rows of"),
        ("truncation", {"direction": "Left"}, "truncation.direction is 'Left'"),
    ],
)
def test_what_tokenizer_json_says_otherwise_is_refused_by_name(
    part: str, value: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    BertTokenizer.from_pretrained(saved(tmp_path / "source")).save_pretrained(tmp_path / "saved")
    path = tmp_path / "saved/tokenizer.json"
    change(path, part, value)
    with pytest.raises(ErnieTritonError, match=fault):
        read_vocabulary(path, tmp_path / "saved")
    if "lowercase" not in value:  # transformers' classes replace that
        folder = saved(tmp_path / "saved")
        with pytest.raises(ErnieTritonError, match=fault):
            read_vocabulary(folder / "vocab.txt", folder)


def change(path: Path, part: str, value: dict[str, Any]) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    document[part] = {**(document[part] or {}), **value}
    path.write_text(json.dumps(document), encoding="utf-8")


def test_a_general_class_reads_tokenizer_json_and_not_the_vocabulary_beside_it(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "saved"
    BertTokenizer.from_pretrained(saved(tmp_path / "source")).save_pretrained(folder)
    change(folder / "tokenizer.json", "normalizer", {"lowercase": False})
    for name, expected in (("PreTrainedTokenizerFast", False), ("BertTokenizerFast", True)):
        saved(folder, {"tokenizer_class": name})
        assert folds_case(folder) is expected
        path = vocabulary_beside(folder)
        assert path is not None
        assert path.name == ("vocab.txt" if expected else "tokenizer.json")


@pytest.mark.parametrize("own", [False, True])
def test_sentence_transformers_lowercase_before_bert_s_normalizer_is_read(
    own: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "saved"
    BertTokenizer.from_pretrained(saved(tmp_path / "source")).save_pretrained(folder)
    path = folder / "tokenizer.json"
    bert = json.loads(path.read_text(encoding="utf-8"))["normalizer"] | {"lowercase": own}
    parts = [{"type": "Lowercase"}, bert]
    change(path, "normalizer", {"type": "Sequence", "normalizers": parts})
    normalizer = Tokenizer.from_file(str(path)).normalizer
    text = "CAF\u00c9 \u03a3\u0391\u03a3 \u0130 \u4e2dA"
    expected = BertNormalizer(lowercase=True, strip_accents=own).normalize_str(text)
    assert normalizer.normalize_str(text) == expected
    for settings in ({"do_lower_case": own}, None):  # beside a vocab.txt, and alone
        saved(folder, settings)
        assert folds_case(folder)
        rules = read_vocabulary(folder / "vocab.txt", folder, lower_case=True).rules
        assert rules.strip_accents is (None if own else False)
    (folder / "vocab.txt").unlink()
    assert read_vocabulary(path, folder, lower_case=True).rules == rules


def test_names_that_tokenizer_json_contradicts_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    BertTokenizer.from_pretrained(saved(tmp_path / "source")).save_pretrained(folder)
    saved(folder, {"cls_token": "<s>"})
    with pytest.raises(CheckpointError, match=r"tokenizer.json: cls_token is '\[CLS\]', and the f"):
        read_vocabulary(folder / "vocab.txt", folder)


def test_two_vocabularies_that_differ_are_refused(tmp_path: Path) -> None:
    BertTokenizer.from_pretrained(saved(tmp_path / "source")).save_pretrained(tmp_path / "saved")
    folder = saved(tmp_path / "saved")
    assert read_vocabulary(folder / "vocab.txt", folder).size == len(LINES)
    text = (folder / "vocab.txt").read_text(encoding="utf-8")
    (folder / "vocab.txt").write_text(text.replace("cafe\n", "bar\n"), encoding="utf-8")
    with pytest.raises(VocabularyError, match="different vocabularies"):
        read_vocabulary(folder / "vocab.txt", folder)


def test_two_files_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path, {"cls_token": "[CLS]"}, special_tokens_map={"cls_token": "<s>"})
    with pytest.raises(CheckpointError, match=r"cls_token is '\[CLS\]' in tokenizer_config"):
        read_vocabulary(folder / "vocab.txt", folder)
    saved(tmp_path, {"added_tokens_decoder": E1_BEHIND}, special_tokens_map={})
    (folder / "added_tokens.json").write_text('{"[E1]": 3}', encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"the added token '\[E1\]' has the id 3"):
        read_vocabulary(folder / "vocab.txt", folder)


@pytest.mark.parametrize(
    ("settings", "most"),
    [({}, None), ({"model_max_length": 512}, 512), ({"model_max_length": 10**30}, None)],
)
def test_the_longest_row_is_the_tokenizer_s(
    settings: dict[str, Any], most: int | None, tmp_path: Path
) -> None:
    assert longest_row(saved(tmp_path, settings)) == most


def test_added_tokens_count_as_rows(tmp_path: Path) -> None:
    folder = saved(tmp_path, {"added_tokens_decoder": E1_BEHIND})
    vocabulary = read_vocabulary(folder / "vocab.txt", folder)
    assert (vocabulary.size, vocabulary.rows) == (len(LINES), len(LINES) + 1)
    assert vocabulary.rules.added == (AddedToken(content="[E1]", id=len(LINES)),)


def test_a_class_of_bert_folds_case_where_only_tokenizer_json_says_otherwise(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "saved"
    BertTokenizer.from_pretrained(saved(tmp_path / "source")).save_pretrained(folder)
    (folder / "tokenizer_config.json").unlink()
    change(folder / "tokenizer.json", "normalizer", {"lowercase": False})
    assert not folds_case(folder)  # nothing names a class
    config = {"model_type": "bert", "tokenizer_class": "PreTrainedTokenizerFast"}
    for name, expected in ((None, True), ("PreTrainedTokenizerFast", False)):
        (folder / "config.json").write_text(json.dumps({**config, "tokenizer_class": name}))
        assert folds_case(folder) is expected
        theirs = AutoTokenizer.from_pretrained(folder).tokenize("A")
        assert theirs == (["a"] if expected else ["A"])


def test_an_accented_token_that_a_fast_tokenizer_saved_is_refused(tmp_path: Path) -> None:
    tokenizer = BertTokenizer.from_pretrained(saved(tmp_path / "source"))
    tokenizer.add_tokens(["\u00c9"])
    tokenizer.save_pretrained(tmp_path / "saved")
    folder = saved(tmp_path / "saved")  # transformers 4 saves both files
    with pytest.raises(CheckpointError, match="is accented, and the tokenizer removes accents"):
        read_vocabulary(folder / "vocab.txt", folder)
