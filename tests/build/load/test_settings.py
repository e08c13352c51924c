"""`config.json` decides the model; errors name the file and the wrong value."""

import json
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st

from ernie_triton.build.load.settings import (
    folds_case,
    read_config,
    splits_ideographs,
    vocabulary_beside,
)
from ernie_triton.errors import CheckpointError, ErnieTritonError, LabelCountError

SIZES = {"num_attention_heads": 3, "hidden_size": 24}
OLD_PADDLENLP = {
    "init_args": [
        {
            "attention_probs_dropout_prob": 0.1,
            "hidden_act": "relu",
            "hidden_size": 768,
            "max_position_embeddings": 513,
            "num_attention_heads": 12,
            "pad_token_id": 0,
            "task_type_vocab_size": 3,
            "use_task_id": True,
            "task_id": 2,
            "layer_norm_eps": 1e-5,
            "init_class": "ErnieModel",
        }
    ],
    "num_classes": 15,
    "init_class": "ErnieForSequenceClassification",
}
"""As PaddleNLP 2.4 wrote `model_config.json`."""


def written(folder: Path, values: Any, name: str = "config.json") -> Path:
    (folder / name).write_text(json.dumps(values), encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", ["Ernie", "Bert", "Roberta"])
def test_what_transformers_saves_is_read_back(tmp_path: Path, kind: str) -> None:
    source = getattr(transformers, f"{kind}Config")(
        hidden_size=48,
        num_attention_heads=4,
        hidden_act="gelu_new",
        layer_norm_eps=1e-6,
        pad_token_id=5,
        id2label={0: "财经", 1: "体育"},
    )
    source.save_pretrained(tmp_path)
    config = read_config(tmp_path)
    assert (config.model_type, config.heads, config.hidden) == (kind.lower(), 4, 48)
    assert (config.activation, config.pooler_activation) == ("gelu_tanh", "tanh")
    assert (config.layer_norm_eps, config.pad_token_id) == (1e-6, 5)
    assert config.labels == ("财经", "体育")
    assert config.task_type_row is None


def test_old_paddlenlp_sizes_are_found_in_their_nest(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, OLD_PADDLENLP, "model_config.json"))
    assert (config.model_type, config.architecture) == ("", "ErnieForSequenceClassification")
    assert (config.heads, config.hidden, config.activation) == (12, 768, "relu")
    assert (config.layer_norm_eps, config.task_type_row, config.labels) == (1e-5, 2, None)


def test_config_json_is_preferred_to_the_old_file(tmp_path: Path) -> None:
    written(tmp_path, OLD_PADDLENLP, "model_config.json")
    assert read_config(written(tmp_path, SIZES)).hidden == 24


def test_bert_s_defaults_fill_in_what_is_not_said(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, SIZES))
    assert (config.activation, config.layer_norm_eps, config.pad_token_id) == ("gelu", 1e-12, None)
    assert (config.model_type, config.task_type_row, config.labels) == ("", None, None)


@pytest.mark.parametrize(
    ("extra", "row"),
    [
        ({"use_task_id": True}, 0),
        ({"use_task_id": True, "task_id": 2}, 2),
        ({"use_task_id": False, "task_id": 2}, None),
        ({"task_type_vocab_size": 3}, None),
    ],
)
def test_the_task_type_row_is_the_configuration_s(
    tmp_path: Path, extra: dict[str, Any], row: int | None
) -> None:
    assert read_config(written(tmp_path, SIZES | extra)).task_type_row == row


def test_a_pooler_without_activation_is_known(tmp_path: Path) -> None:
    assert read_config(written(tmp_path, SIZES | {"pool_act": "relu"})).pooler_activation == (
        "identity"
    )


def test_labels_are_in_the_order_of_their_ids(tmp_path: Path) -> None:
    names = {str(index): f"名{index}" for index in (10, 2, 0, 1, 3, 4, 5, 6, 7, 8, 9)}
    config = read_config(written(tmp_path, SIZES | {"id2label": names}))
    assert config.labels == tuple(f"名{index}" for index in range(11))


def test_placeholder_labels_are_no_labels(tmp_path: Path) -> None:
    names = {"0": "LABEL_0", "1": "LABEL_1"}
    assert read_config(written(tmp_path, SIZES | {"id2label": names})).labels is None


@pytest.mark.parametrize("kind", ["Ernie", "Bert", "Roberta"])
@pytest.mark.parametrize(
    ("ending", "head"),
    [
        ("ForSequenceClassification", "sequence"),
        ("ForTokenClassification", "token"),
        ("ForQuestionAnswering", "span"),
        ("Model", "vector"),
        ("ForMaskedLM", None),
    ],
)
@pytest.mark.parametrize("place", ["architectures", "init_class"])
def test_the_architecture_says_what_the_model_ends_in(
    tmp_path: Path, kind: str, ending: str, head: str | None, place: str
) -> None:
    name = f"{kind}{ending}"
    values = {"architectures": [name]} if place == "architectures" else {"init_class": name}
    assert read_config(written(tmp_path, SIZES | values)).head == head


def test_old_paddlenlp_s_class_is_the_outer_one(tmp_path: Path) -> None:
    assert read_config(written(tmp_path, OLD_PADDLENLP, "model_config.json")).head == "sequence"


@pytest.mark.parametrize(
    ("labels", "said", "problem"),
    [
        (3, None, ""),
        (3, "single_label_classification", "single_label_classification"),
        (3, "multi_label_classification", "multi_label_classification"),
        (1, None, "regression"),
        (1, "regression", "regression"),
        (1, "multi_label_classification", "multi_label_classification"),
    ],
)
def test_the_problem_is_what_transformers_saved_or_regression_of_one_label(
    tmp_path: Path, labels: int, said: str | None, problem: str
) -> None:
    settings: dict[str, Any] = {"num_labels": labels, "problem_type": said}
    config = transformers.ErnieConfig(**settings)
    config.save_pretrained(tmp_path)
    assert read_config(tmp_path).problem == problem


def test_one_class_in_an_old_paddlenlp_configuration_is_regression(tmp_path: Path) -> None:
    written(tmp_path, OLD_PADDLENLP | {"num_classes": 1}, "model_config.json")
    assert read_config(tmp_path).problem == "regression"


@pytest.mark.parametrize(
    ("extra", "fault"),
    [
        ({"hidden_size": None}, "hidden_size is None; expected a size of at least 1"),
        ({"hidden_size": 0}, "hidden_size is 0; expected a size of at least 1"),
        ({"num_attention_heads": "3"}, "num_attention_heads is '3'; expected a size of at least 1"),
        ({"position_embedding_type": "relative_key"}, "only absolute positions"),
        ({"hidden_act": "silu"}, "hidden_act is 'silu'; expected one of gelu"),
        ({"hidden_act": ["gelu"]}, r"hidden_act is \['gelu'\]; expected one of gelu"),
        ({"layer_norm_eps": "tiny"}, "layer_norm_eps is 'tiny'; expected a number from 0 up to 1"),
        ({"layer_norm_eps": None}, "layer_norm_eps is None; expected a number from 0 up to 1"),
        ({"pad_token_id": -1}, "pad_token_id is -1; expected a row index"),
        ({"use_task_id": True, "task_id": 0.5}, "task_id is 0.5; expected a row index"),
        ({"id2label": {"zero": "a"}}, "a key that is not a number"),
        ({"id2label": {"0": "a", "2": "b"}}, "keys of id2label are not 0 to 1"),
    ],
)
def test_what_no_encoder_of_ours_does_is_refused(
    tmp_path: Path, extra: dict[str, Any], fault: str
) -> None:
    with pytest.raises(CheckpointError, match=rf"config\.json: .*{fault}"):
        read_config(written(tmp_path, SIZES | extra))


def test_labels_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelCountError, match="id2label names a more than once"):
        read_config(written(tmp_path, SIZES | {"id2label": {"0": "a", "1": "a"}}))


@pytest.mark.parametrize("content", ["", "{", '"text"', "[1]", "\x00"])
def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"config\.json (cannot be read as JSON|holds a)"):
        read_config(tmp_path)


def test_weights_without_configuration_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no config\.json or model_config\.json"):
        read_config(tmp_path)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)
_KEYS = (
    "init_args",
    "architectures",
    "init_class",
    "model_type",
    "position_embedding_type",
    "hidden_act",
    "pool_act",
    "layer_norm_eps",
    "pad_token_id",
    "use_task_id",
    "task_id",
    "id2label",
    "problem_type",
    "num_classes",
    *SIZES,
)


@hypothesis.settings(deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(_KEYS, _JSON)))
def test_no_configuration_of_any_content_escapes_as_a_bug(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]
) -> None:
    folder = written(tmp_path_factory.mktemp("any"), SIZES | values)
    try:
        read_config(folder)
    except ErnieTritonError as error:
        assert "config.json" in str(error)  # noqa: PT017 (most contents are no error)


@pytest.mark.parametrize(
    ("settings", "lower"),
    [
        (None, True),
        ({}, True),
        ({"do_lower_case": False}, False),
        ({"do_lower_case": True, "strip_accents": None}, True),
        ({"do_lower_case": False, "strip_accents": False}, False),
    ],
)
def test_case_is_folded_as_the_tokenizer_was_told(
    tmp_path: Path, settings: dict[str, Any] | None, lower: bool
) -> None:
    if settings is not None:
        written(tmp_path, settings, "tokenizer_config.json")
    assert folds_case(tmp_path) is lower


def test_case_that_is_neither_folded_nor_kept_is_refused(tmp_path: Path) -> None:
    settings = {"do_lower_case": "no"}
    with pytest.raises(CheckpointError, match="do_lower_case is 'no'; expected true or false"):
        folds_case(written(tmp_path, settings, "tokenizer_config.json"))


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        (None, True),
        ({"do_lower_case": False}, True),
        ({"tokenize_chinese_chars": True}, True),
        ({"tokenize_chinese_chars": False, "max_input_chars_per_word": 100}, False),
    ],
)
def test_ideographs_are_words_unless_the_tokenizer_says_otherwise(
    tmp_path: Path, settings: dict[str, Any] | None, parts: bool
) -> None:
    if settings is not None:
        written(tmp_path, settings, "tokenizer_config.json")
    assert splits_ideographs(tmp_path) is parts


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"tokenize_chinese_chars": "false"}, "tokenize_chinese_chars is 'false'; expected true"),
        ({"max_input_chars_per_word": 500}, "is 500; only 100 is supported, as in transformers'"),
    ],
)
def test_other_ways_to_make_words_are_refused(
    tmp_path: Path, settings: dict[str, Any], fault: str
) -> None:
    with pytest.raises(CheckpointError, match=fault):
        splits_ideographs(written(tmp_path, settings, "tokenizer_config.json"))


def test_only_a_file_is_a_vocabulary(tmp_path: Path) -> None:
    assert vocabulary_beside(tmp_path) is None
    (tmp_path / "vocab.txt").mkdir()
    assert vocabulary_beside(tmp_path) is None
    (tmp_path / "vocab.txt").rmdir()
    (tmp_path / "vocab.txt").touch()
    assert vocabulary_beside(tmp_path) == tmp_path / "vocab.txt"


def test_tokenizer_json_is_a_vocabulary_where_there_is_no_other(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").touch()
    assert vocabulary_beside(tmp_path) == tmp_path / "tokenizer.json"
    (tmp_path / "vocab.txt").touch()
    assert vocabulary_beside(tmp_path) == tmp_path / "vocab.txt"
