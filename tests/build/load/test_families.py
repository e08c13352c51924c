"""Each model type is read as its framework computes it, or refused by its name."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from ernie_triton.build.check.reference import model_outputs, reference_for
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError
from ernie_triton.tasks import TASKS
from tests.build.load.exports import HEADS, randomised
from tests.build.models import (
    assert_row_equal,
    expected_outputs,
    paddle_state,
    random_rows,
    save_paddlenlp,
    save_transformers,
    single_rows,
)

ROWS = random_rows((9, 2, 14))
READ = (
    *("Bert", "Ernie", "Roberta", "XLMRoberta", "Camembert", "Data2VecText", "Electra"),
    *("Albert", "DistilBert"),
)
SIZES = {
    "vocab_size": 60,
    "hidden_size": 24,
    "embedding_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 32,
}


def tiny(classes: str, ending: str = "ForSequenceClassification", **settings: Any) -> Any:
    scores = 2 if ending == HEADS["span"] else 5
    sizes = {**SIZES, "num_labels": scores}
    if classes == "DistilBert":
        own = {"dim": 24, "n_heads": 3, "n_layers": 2, "hidden_dim": 40}
        sizes = {"vocab_size": 60, "max_position_embeddings": 32, "num_labels": scores, **own}
    config = getattr(transformers, f"{classes}Config")(**{**sizes, **settings})
    return randomised(getattr(transformers, f"{classes}{ending}")(config))


def assert_answers(folder: Path, source: Any, head: str = "sequence", pooling: str = "cls") -> None:
    """Check our reading, and transformers on the same files, against the saved model."""
    found = read_source(folder, WantedHead(head=head, pooling=pooling))
    task = next(task for task in TASKS.values() if task.head == head)
    reference = reference_for(found, task)
    assert isinstance(found.model, Model)
    for row, expected in zip(
        single_rows(ROWS), expected_outputs(source, ROWS, pooling), strict=True
    ):
        assert_row_equal(model_outputs(found.model, row), expected)
        assert_row_equal(reference.outputs(row), expected)


def refusal(folder: Path, head: str = "sequence") -> str:
    with pytest.raises(CheckpointError) as caught:
        read_source(folder, WantedHead(head=head))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(folder: Path, **values: Any) -> Path:
    path = folder / "config.json"
    known = json.loads(path.read_text(encoding="utf-8")) | values
    kept = {name: value for name, value in known.items() if value is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")
    return folder


@pytest.mark.parametrize("head", ["sequence", "token", "span", "vector"])
@pytest.mark.parametrize("classes", READ)
def test_each_type_answers_as_its_own_class(tmp_path: Path, classes: str, head: str) -> None:
    source = tiny(classes, HEADS[head])
    source.save_pretrained(tmp_path)
    assert_answers(tmp_path, source, head)


@pytest.mark.parametrize("classes", ["Bert", "Ernie", "Roberta"])
@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_act": "gelu_new"},
        {"hidden_act": "gelu_fast"},
        {"hidden_act": "gelu_python"},
        {"hidden_act": "relu"},
        {"layer_norm_eps": 1e-2},
        {"type_vocab_size": 1},
        {"pad_token_id": 4},
        {"tie_word_embeddings": False, "classifier_dropout": 0.3},
        {"use_task_id": True},
    ],
    ids=str,
)
def test_each_setting_is_honoured(tmp_path: Path, classes: str, settings: dict[str, Any]) -> None:
    source = tiny(classes, **settings)
    source.save_pretrained(tmp_path)
    assert_answers(tmp_path, source)


@pytest.mark.parametrize("act", ["gelu", "relu"])
def test_electra_s_head_is_gelu_in_transformers_whatever_the_layers_have(
    tmp_path: Path, act: str
) -> None:
    source = tiny("Electra", hidden_act=act)
    source.save_pretrained(tmp_path)
    assert_answers(tmp_path, source)
    model = read_source(tmp_path).model
    assert isinstance(model, Model)
    assert getattr(model.head, "pooler_activation", None) == "gelu"


@pytest.mark.parametrize("act", ["gelu", "relu"])
def test_paddlenlp_s_electra_has_the_layers_activation_in_its_head(
    tmp_path: Path, act: str
) -> None:
    source = tiny("Electra", hidden_act=act)
    source.electra.embeddings.word_embeddings.weight.data[0] = 0  # as Paddle takes it
    source.classifier.activation = transformers.activations.ACT2FN[act]
    arrays = paddle_state(source.electra)
    arrays = {f"electra.{name}": array for name, array in arrays.items()} | {
        f"classifier.{name}.{part}": np.ascontiguousarray(
            getattr(getattr(source.classifier, name), part).detach().numpy().T
        )
        for name in ("dense", "out_proj")
        for part in ("weight", "bias")
    }
    save_paddlenlp(source, tmp_path, state=arrays, architectures=[type(source).__name__])
    assert_answers(tmp_path, source)


@pytest.mark.parametrize(
    ("kind", "classes", "settings"),
    [
        ("skep", "Skep", {"hidden_act": "relu", "layer_norm_eps": 1e-5}),
        ("tinybert", "TinyBert", {"hidden_act": "gelu"}),
        ("ppminilm", "PPMiniLM", {"hidden_act": "relu"}),
        ("ernie_gram", "ErnieGram", {"layer_norm_eps": 1e-5}),
    ],
)
def test_paddlenlp_s_types_of_bert_s_shape_are_read_with_their_own_values(
    tmp_path: Path, kind: str, classes: str, settings: dict[str, Any]
) -> None:
    source = tiny("Bert", **settings)
    source.bert.embeddings.word_embeddings.weight.data[0] = 0  # as Paddle takes it
    arrays = {name.replace("bert.", f"{kind}."): one for name, one in paddle_state(source).items()}
    if kind == "tinybert":
        pooler = source.bert.pooler
        pooler.activation = torch.nn.Sequential(pooler.activation, torch.nn.ReLU())
        arrays[f"{kind}.fit_dense.weight"] = np.ones((24, 30), np.float32)
    values = {"model_type": kind, "architectures": [f"{classes}ForSequenceClassification"]}
    save_paddlenlp(source, tmp_path, state=arrays, **values)
    if kind == "ernie_gram":
        changed(tmp_path, layer_norm_eps=None)
        rows = {"ernie_gram.embeddings.rel_pos_embeddings.weight": np.ones((8, 3), np.float32)}
        english = save_paddlenlp(source, tmp_path / "english", state={**arrays, **rows}, **values)
        assert "such as 'ernie_gram.embeddings.rel_pos_embeddings.weight'" in refusal(english)
    if kind == "skep":  # PaddleNLP's own defaults, which its configuration may leave out
        changed(tmp_path, hidden_act=None, layer_norm_eps=None)
    assert_answers(tmp_path, source)
    assert_answers(changed(tmp_path, model_type=None), source)


def test_tinybert_without_its_pooler_s_activation_keeps_that_of_its_scores(tmp_path: Path) -> None:
    source = tiny("Bert", hidden_act="gelu")
    source.bert.embeddings.word_embeddings.weight.data[0] = 0  # as Paddle takes it
    source.bert.pooler.activation = torch.nn.ReLU()
    state = paddle_state(source)
    arrays = {name.replace("bert.", "tinybert."): one for name, one in state.items()}
    values = {"architectures": ["TinyBertForSequenceClassification"], "pool_act": "linear"}
    save_paddlenlp(source, tmp_path, state=arrays, model_type="tinybert", **values)
    assert_answers(tmp_path, source)


def test_the_norms_of_paddlenlp_s_ernie_have_its_own_epsilon(tmp_path: Path) -> None:
    source = tiny("Ernie", layer_norm_eps=1e-12)
    source.ernie.embeddings.word_embeddings.weight.data[0] = 0  # as Paddle takes it
    save_paddlenlp(source, tmp_path, state=paddle_state(source))
    assert_answers(changed(tmp_path, layer_norm_eps=0.1), source)


@pytest.mark.parametrize("head", ["sequence", "token", "vector"])
@pytest.mark.parametrize("settings", [{}, {"num_hidden_layers": 3, "num_hidden_groups": 2}])
def test_albert_of_paddlenlp_answers_as_that_of_transformers(
    tmp_path: Path, settings: dict[str, Any], head: str
) -> None:
    source = tiny("Albert", HEADS[head], embedding_size=8, hidden_act="gelu", **settings)
    source.base_model.embeddings.word_embeddings.weight.data[0] = 0  # as Paddle takes it
    arrays = {}
    for name, tensor in source.state_dict().items():
        is_linear = tensor.ndim == 2 and "_embeddings" not in name
        new = re.sub(r"^albert\.", "transformer.", name).replace("LayerNorm", "layer_norm")
        arrays[new] = np.ascontiguousarray(tensor.numpy().T if is_linear else tensor.numpy())
    values = source.config.to_dict() | {"architectures": [type(source).__name__]}
    folder = save_paddlenlp(source, tmp_path, state=arrays, **values)
    assert read_source(folder, WantedHead(head=head)).kind.startswith("PaddleNLP")
    assert_answers(folder, source, head)
    if head == "token":
        message = refusal(changed(folder, architectures=["AlbertForQuestionAnswering"]), "span")
        assert "gives the scores of starts for ends too" in message


@pytest.mark.parametrize(
    ("classes", "settings", "named"),
    [
        ("BigBird", {"attention_type": "original_full"}, "big_bird"),
        ("RoFormer", {}, "roformer"),
        ("DebertaV2", {}, "deberta-v2"),
        ("ModernBert", {"pad_token_id": 0}, "modernbert"),
        ("MegatronBert", {}, "megatron-bert"),
        ("MobileBert", {}, "mobilebert"),
    ],
)
def test_other_types_are_refused_by_name(
    tmp_path: Path, classes: str, settings: dict[str, Any], named: str
) -> None:
    config = getattr(transformers, f"{classes}Config")(**{**SIZES, **settings})
    model = getattr(transformers, f"{classes}ForSequenceClassification")(config)
    model.save_pretrained(tmp_path)
    message = refusal(tmp_path)
    assert f"model_type {named!r}" in message
    assert "expected bert, ernie" in message
    assert "ONNX" in message


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"is_decoder": True}, "is_decoder is true"),
        ({"add_cross_attention": True}, "add_cross_attention is true"),
        ({"position_embedding_type": "relative_key"}, "only absolute positions"),
        *(({"model_type": kind}, f"model_type '{kind}'") for kind in ("nezha", "yoso", "luke")),
        ({"model_type": "roberta"}, "says model_type 'roberta' but has BertFor"),
        (
            {"model_type": "roberta", "architectures": None},
            "says model_type 'roberta' but has arrays named 'bert.…'",
        ),
        ({"architectures": ["BertForNER"]}, "of the class BertForNER"),
        ({"architectures": ["BertForNextSentencePrediction"]}, "of the class BertForNext"),
        ({"architectures": ["UIE"]}, "is a model of extraction, as its configuration says"),
        ({"num_hidden_layers": 3}, "arrays of 2 layers but .* num_hidden_layers 3"),
        ({"vocab_size": 61}, "60 tokens but the configuration says vocab_size 61"),
        ({"max_position_embeddings": 64}, "32 positions but .* max_position_embeddings 64"),
        ({"type_vocab_size": 4}, "2 token types but .* type_vocab_size 4"),
        ({"intermediate_size": 20}, "40 feed-forward .* intermediate_size 20"),
        ({"hidden_act": "quick_gelu"}, "hidden_act is 'quick_gelu'"),
        ({"quantization_config": {"quant_method": "gptq"}}, "says gptq weights; expected floating"),
        ({"auto_map": {"AutoModel": "own.Model"}}, r"code of its own \(own.Model\), .* BertForSeq"),
        ({"pruned_heads": {"1": [0, 2]}}, r"has 3 heads in layer 1 .* says 3 less 2"),
        ({"pruned_heads": [1]}, r"pruned_heads is \[1\]; expected lists"),
        ({"id2label": {"0": "a", "1": "b"}}, "gives 5 scores but the configuration names 2"),
        ({"id2label": None, "label2id": None, "num_labels": 3}, "gives 5 scores .* names 3"),
    ],
    ids=str,
)
def test_a_configuration_that_means_something_else_is_refused(
    tmp_path: Path, values: dict[str, Any], fault: str
) -> None:
    source = save_transformers(tiny("Bert"), tmp_path)
    message = refusal(changed(source, **values))
    assert re.search(fault, message), message


@pytest.mark.parametrize(
    "values",
    [
        {"model_type": None},
        {"architectures": None},
        {"model_type": None, "architectures": None},
        {"architectures": ["BertForMaskedLM"]},
        {"id2label": None, "label2id": None},
        {"torch_dtype": None, "dtype": "float32"},
        {"quantization_config": None, "pruned_heads": {}, "auto_map": {"AutoTokenizer": ["a.B"]}},
    ],
    ids=str,
)
def test_what_a_configuration_leaves_open_the_arrays_say(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    source = tiny("Bert")
    assert_answers(changed(save_transformers(source, tmp_path), **values), source)


def test_nothing_that_says_the_type_is_refused(tmp_path: Path) -> None:
    folder = save_transformers(tiny("Bert", "Model"), tmp_path)
    message = refusal(changed(folder, model_type=None, architectures=None), "vector")
    assert 'add the model\'s own, such as "model_type": "bert"' in message


def test_layers_beyond_the_configuration_s_are_left_out_as_transformers_does(
    tmp_path: Path,
) -> None:
    source = tiny("Bert", num_hidden_layers=4)
    folder = changed(save_transformers(source, tmp_path), num_hidden_layers=2)
    shorter: Any = transformers.BertForSequenceClassification.from_pretrained(folder)
    shorter.eval()
    assert_answers(folder, shorter)
    assert read_source(folder).note == "the first 2 of 4 layers, as num_hidden_layers says"


@pytest.mark.parametrize("head", ["sequence", "vector"])
@pytest.mark.parametrize(
    ("classes", "settings"),
    [
        ("Electra", {"embedding_size": 8}),
        ("Albert", {"embedding_size": 8}),
        ("Albert", {"num_hidden_layers": 5, "num_hidden_groups": 2, "hidden_act": "gelu"}),
        ("DistilBert", {"activation": "relu", "sinusoidal_pos_embds": True}),
    ],
    ids=str,
)
def test_types_with_names_of_their_own_answer_as_their_class(
    tmp_path: Path, classes: str, settings: dict[str, Any], head: str
) -> None:
    source = tiny(classes, HEADS[head], **settings)
    source.save_pretrained(tmp_path)
    assert_answers(tmp_path, source, head)


@pytest.mark.parametrize(
    ("classes", "values", "fault"),
    [
        ("Electra", {"embedding_size": 16}, "8 features .* configuration says embedding_size 16"),
        ("Electra", {"hidden_size": 8}, "8 features|the head takes|layers|widths"),
        ("Albert", {"num_hidden_groups": 2}, "1 shared layers in groups, .* num_hidden_groups 2"),
        ("Albert", {"inner_group_num": 2}, "inner_group_num 2; only groups of 1 layer"),
        ("Albert", {"hidden_size": 48}, "24 attention features; .* hidden_size 48"),
    ],
    ids=str,
)
def test_widths_and_groups_that_are_not_the_arrays_are_refused(
    tmp_path: Path, classes: str, values: dict[str, Any], fault: str
) -> None:
    tiny(classes, embedding_size=8).save_pretrained(tmp_path)
    assert re.search(fault, message := refusal(changed(tmp_path, **values))), message


def test_one_setting_with_two_values_is_refused(tmp_path: Path) -> None:
    tiny("DistilBert").save_pretrained(tmp_path)
    message = refusal(changed(tmp_path, num_hidden_layers=1))
    assert "says n_layers 2 and num_hidden_layers 1, which are the same setting" in message


def test_a_configuration_without_a_padding_token_has_the_type_s_own(tmp_path: Path) -> None:
    source = tiny("Bert")
    save_transformers(source, tmp_path)
    assert_answers(changed(tmp_path, pad_token_id=None), source)
    path = tmp_path / "config.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**values, "pad_token_id": None}), encoding="utf-8")
    assert_answers(tmp_path, source)


@pytest.mark.parametrize("classes", ["Albert", "DistilBert"])
def test_types_whose_settings_differ_must_be_named(tmp_path: Path, classes: str) -> None:
    source = tiny(classes)
    source.save_pretrained(tmp_path)
    assert_answers(changed(tmp_path, model_type=None), source)
    assert refusal(changed(tmp_path, architectures=None))


def test_heads_that_are_not_served_are_named(tmp_path: Path) -> None:
    model = tiny("Bert")
    state = model.state_dict()
    own = {name.replace("classifier", "fc"): tensor for name, tensor in state.items()}
    message = refusal(save_transformers(model, tmp_path / "own", state=own))
    assert "has no classifier.weight but has fc.bias, fc.weight" in message
    tagger = tiny("Bert", "ForTokenClassification")
    crf = tagger.state_dict() | {"crf.transitions": torch.ones(5, 5)}
    message = refusal(save_transformers(tagger, tmp_path / "crf", state=crf), "token")
    assert "crf.transitions are a CRF" in message
    assert "train the model without it" in message
