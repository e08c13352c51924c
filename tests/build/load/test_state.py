"""Every array of a checkpoint is used, or the error names the first that is not."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ernie_triton.build.check.reference import model_outputs
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.load.state import family_of_state, model_from_state
from ernie_triton.build.load.weights import PADDLENLP, TRANSFORMERS, NameScheme
from ernie_triton.build.model.encoder import named_arrays
from ernie_triton.build.model.heads import HEAD_NAMES, SequenceHead, TokenHead, VectorHead
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError
from tests.build.load.exports import transformers_model
from tests.build.models import (
    arrays_of,
    assert_row_equal,
    checkpoint_config,
    expected_outputs,
    paddle_state,
    random_rows,
    single_rows,
    transformers_logits,
)

State = dict[str, npt.NDArray[np.float32]]
ROWS = random_rows((9, 3, 14))


def read(state: State, source: Any, wanted: WantedHead | None = None, **changes: Any) -> Model:
    config = dataclasses.replace(checkpoint_config(source), **changes)
    return model_from_state(state, TRANSFORMERS, config, "weights.bin", wanted)


def sequence_head(model: Model) -> SequenceHead:
    assert isinstance(model.head, SequenceHead)
    return model.head


def assert_answers_as(source: Any, model: Model) -> None:
    found = [model_outputs(model, row)["logits"] for row in single_rows(ROWS)]
    np.testing.assert_allclose(found, transformers_logits(source, ROWS), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["ernie", "bert", "roberta"])
def test_each_kind_answers_as_transformers(kind: str) -> None:
    source = transformers_model(kind)
    model = read(arrays_of(source), source)
    assert_answers_as(source, model)
    assert [layer.heads for layer in model.encoder.layers] == [3, 3]


@pytest.mark.parametrize("kind", ["ernie", "bert"])
def test_both_frameworks_names_lead_to_the_same_places(kind: str) -> None:
    source = transformers_model(kind)
    getattr(source, kind).embeddings.word_embeddings.weight.data[0] = 0  # as Paddle takes it
    theirs = model_from_state(paddle_state(source), PADDLENLP, checkpoint_config(source), "here")
    ours = read(arrays_of(source), source)
    for (name, array), (_, same) in zip(named_arrays(ours), named_arrays(theirs), strict=True):
        np.testing.assert_array_equal(array, same, err_msg=name)


def test_the_task_type_embedding_is_added_only_where_it_is_used() -> None:
    source = transformers_model("ernie")
    state = arrays_of(source)
    tables = "ernie.embeddings."
    types = state[f"{tables}token_type_embeddings.weight"]
    tasks = state[f"{tables}task_type_embeddings.weight"]
    for row in (0, 2):  # transformers has no task_id
        added = read(state, source, task_type_row=row).encoder.token_type
        np.testing.assert_array_equal(added, types + tasks[0])
    config = dataclasses.replace(checkpoint_config(source), task_type_row=2)
    theirs = model_from_state(paddle_state(source), PADDLENLP, config, "here")
    np.testing.assert_array_equal(theirs.encoder.token_type, types + tasks[2])
    plain = transformers_model("ernie", use_task_id=False)
    assert not hasattr(plain.ernie.embeddings, "task_type_embeddings")
    kept = arrays_of(plain) | {f"{tables}task_type_embeddings.weight": tasks}
    assert_answers_as(plain, read(kept, plain))


def test_the_padding_token_embeds_to_zeros_in_paddle_alone() -> None:
    source = transformers_model("bert", pad_token_id=3)
    table = arrays_of(source)["bert.embeddings.word_embeddings.weight"].copy()
    config = checkpoint_config(source)
    theirs = model_from_state(paddle_state(source), PADDLENLP, config, "here")
    np.testing.assert_array_equal(read(arrays_of(source), source).encoder.word, table)
    table[3] = 0
    np.testing.assert_array_equal(theirs.encoder.word, table)


@pytest.mark.parametrize("scheme", [TRANSFORMERS, PADDLENLP])
def test_a_padding_token_outside_the_vocabulary_is_refused(scheme: NameScheme) -> None:
    source = transformers_model("bert")
    state = arrays_of(source) if scheme is TRANSFORMERS else paddle_state(source)
    config = dataclasses.replace(checkpoint_config(source), pad_token_id=60)
    with pytest.raises(CheckpointError, match=r"embeds 60 tokens but .* says pad_token_id 60"):
        model_from_state(state, scheme, config, "here")


def test_a_task_type_row_outside_its_table_is_refused() -> None:
    source = transformers_model("ernie")
    config = dataclasses.replace(checkpoint_config(source), task_type_row=3)
    with pytest.raises(CheckpointError, match="task_id 3 but the table has 3 rows"):
        model_from_state(paddle_state(source), PADDLENLP, config, "here")


def test_roberta_s_positions_begin_after_its_padding_token() -> None:
    source = transformers_model("roberta", pad_token_id=4)
    model = read(arrays_of(source), source)
    table = arrays_of(source)["roberta.embeddings.position_embeddings.weight"]
    np.testing.assert_array_equal(model.encoder.position, table[5:])
    assert_answers_as(source, model)


def test_roberta_s_head_is_its_own_two_layers_and_the_pooler_is_of_no_use() -> None:
    source = transformers_model("roberta")
    state = arrays_of(source)
    hidden = np.ones((24, 24), np.float32)
    state |= {"roberta.pooler.dense.weight": hidden, "roberta.pooler.dense.bias": hidden[0]}
    model = read(state, source)
    pooler = sequence_head(model).pooler
    assert pooler is not None
    np.testing.assert_array_equal(pooler.weight, state["classifier.dense.weight"].T)
    assert_answers_as(source, model)


def paddle_roberta(head: str, **config: Any) -> tuple[Any, Model]:
    """A model of transformers, and the same weights read as PaddleNLP's."""
    source = transformers_model("roberta", head=head, pad_token_id=0)
    source.roberta.embeddings.word_embeddings.weight.data[0] = 0  # as Paddle takes it
    wanted = dataclasses.replace(checkpoint_config(source), cls_token_id=101, **config)
    return source, model_from_state(paddle_state(source), PADDLENLP, wanted, "here")


@pytest.mark.parametrize("head", ["sequence", "token", "span"])
def test_paddlenlp_s_roberta_is_transformers_from_2_5_2_on(head: str) -> None:
    source, model = paddle_roberta(head)
    for row, expected in zip(single_rows(ROWS), expected_outputs(source, ROWS, ""), strict=True):
        assert_row_equal(model_outputs(model, row), expected)


def test_paddlenlp_s_roberta_of_older_releases_begins_at_the_first_position() -> None:
    source, model = paddle_roberta("token", older_file=True)
    table = arrays_of(source)["roberta.embeddings.position_embeddings.weight"]
    np.testing.assert_array_equal(model.encoder.position, table)
    # Its classifier of texts is the pooler and one layer, as BERT's.
    config = dataclasses.replace(checkpoint_config(source), cls_token_id=101, head="sequence")
    weight = np.ones((24, 24), np.float32)
    state = paddle_state(source)
    state |= {"roberta.pooler.dense.weight": weight, "roberta.pooler.dense.bias": weight[0]}
    model = model_from_state(state, PADDLENLP, config, "here")
    np.testing.assert_array_equal(model.encoder.position, table)
    config = dataclasses.replace(config, cls_token_id=0)
    model = model_from_state(state, PADDLENLP, config, "here")
    np.testing.assert_array_equal(model.encoder.position, table[1:])


@pytest.mark.parametrize(
    ("config", "is_told"),
    [({}, False), ({"older_file": True}, True), ({"cls_token_id": 0}, True)],
)
def test_a_release_that_no_file_tells_is_said(config: dict[str, Any], is_told: bool) -> None:
    source = transformers_model("roberta", head="token", pad_token_id=0)
    known = dataclasses.replace(checkpoint_config(source), **{"cls_token_id": 101, **config})
    family = family_of_state(paddle_state(source), PADDLENLP, known, "here", "token")
    assert ("PaddleNLP 2.5.2 and later" in family.assumed) is not is_told


def test_a_classifier_without_the_pooler_of_its_class_is_refused() -> None:
    source = transformers_model("bert")
    state = {name: array for name, array in arrays_of(source).items() if "pooler" not in name}
    with pytest.raises(CheckpointError, match=r"no array 'bert\.pooler\.dense\.weight'"):
        read(state, source)


def test_gamma_and_beta_are_a_norm_s_scale_and_bias() -> None:
    source = transformers_model("bert")
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): array
        for name, array in arrays_of(source).items()
    }
    assert sum(name.endswith(("gamma", "beta")) for name in old) == 10
    assert_answers_as(source, read(old, source))


def test_pruned_heads_and_widths_are_those_of_the_arrays() -> None:
    source = transformers_model("bert")
    state = arrays_of(source)
    layer = "bert.encoder.layer.1"
    for name in ("query", "key", "value"):
        for part in ("weight", "bias"):
            key = f"{layer}.attention.self.{name}.{part}"
            state[key] = state[key][:16]  # two heads of eight
    state[f"{layer}.attention.output.dense.weight"] = state[
        f"{layer}.attention.output.dense.weight"
    ][:, :16]
    state[f"{layer}.intermediate.dense.weight"] = state[f"{layer}.intermediate.dense.weight"][:10]
    state[f"{layer}.intermediate.dense.bias"] = state[f"{layer}.intermediate.dense.bias"][:10]
    state[f"{layer}.output.dense.weight"] = state[f"{layer}.output.dense.weight"][:, :10]
    layers = read(state, source).encoder.layers
    assert [(part.heads, part.head_size) for part in layers] == [(3, 8), (2, 8)]
    assert [part.intermediate.outputs for part in layers] == [40, 10]


@pytest.mark.parametrize(
    "name",
    [
        "embeddings.position_embeddings.weight",
        "embeddings.token_type_embeddings.weight",
        "embeddings.task_type_embeddings.weight",
        "embeddings.LayerNorm.bias",
        "encoder.layer.0.attention.self.query.bias",
        "encoder.layer.0.attention.self.key.weight",
        "encoder.layer.1.output.LayerNorm.weight",
        "pooler.dense.bias",
    ],
)
def test_a_missing_array_is_named(name: str) -> None:
    source = transformers_model("ernie")
    state = arrays_of(source)
    del state[f"ernie.{name}"]
    with pytest.raises(CheckpointError, match=rf"weights\.bin has no array 'ernie\.{name}'"):
        read(state, source)


def test_a_layer_in_the_middle_that_is_missing_leaves_the_later_ones_over() -> None:
    source = transformers_model("bert", num_hidden_layers=3)
    state = {name: array for name, array in arrays_of(source).items() if ".layer.1." not in name}
    with pytest.raises(CheckpointError, match=r"16 arrays .* such as 'bert\.encoder\.layer\.2"):
        read(state, source)


def test_an_array_left_over_is_refused() -> None:
    source = transformers_model("bert")
    state = arrays_of(source) | {"crf.transitions": np.ones((5, 5), np.float32)}
    with pytest.raises(CheckpointError, match=r"1 arrays .* such as 'crf\.transitions'"):
        read(state, source)


def test_heads_of_pre_training_beside_a_classifier_are_passed_over() -> None:
    source = transformers_model("bert")
    state = arrays_of(source) | {"cls.predictions.bias": np.ones(60, np.float32)}
    assert_answers_as(source, read(state, source))


def test_a_pre_trained_model_without_classifier_is_refused() -> None:
    source = transformers_model("bert")
    state = {name: array for name, array in arrays_of(source).items() if "classifier" not in name}
    with pytest.raises(CheckpointError, match=r"no classifier\.weight.*not a pre-trained one"):
        read(state, source)


def test_a_model_of_another_architecture_is_refused() -> None:
    state = {"conv.weight": np.ones((3, 3), np.float32), "fc.weight": np.ones(3, np.float32)}
    with pytest.raises(CheckpointError, match=r"0 arrays named …embeddings\.word_embeddings"):
        read(state, transformers_model("bert"))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("bert.embeddings.word_embeddings.weight", (24,)),
        ("bert.embeddings.position_embeddings.weight", (32, 20)),
        ("bert.embeddings.token_type_embeddings.weight", (24,)),
        ("bert.embeddings.LayerNorm.weight", (20,)),
        ("bert.embeddings.LayerNorm.bias", (24, 1)),
        ("bert.encoder.layer.0.attention.self.query.weight", (24, 20)),
        ("bert.encoder.layer.0.attention.self.query.weight", (24,)),
        ("bert.encoder.layer.0.attention.self.value.bias", (1,)),
        ("bert.encoder.layer.0.attention.output.dense.weight", (20, 24)),
        ("bert.encoder.layer.0.attention.output.LayerNorm.weight", (20,)),
        ("bert.encoder.layer.1.intermediate.dense.weight", (40, 20)),
        ("bert.encoder.layer.1.output.dense.weight", (24, 39)),
        ("bert.encoder.layer.1.output.LayerNorm.bias", ()),
        ("bert.pooler.dense.weight", (24, 20)),
        ("classifier.weight", (5, 20)),
    ],
)
def test_a_shape_that_contradicts_another_is_refused(name: str, shape: tuple[int, ...]) -> None:
    source = transformers_model("bert")
    state = arrays_of(source)
    state[name] = np.ones(shape, np.float32)
    with pytest.raises(CheckpointError):
        read(state, source)


def test_a_width_that_is_not_the_configuration_s_is_refused() -> None:
    source = transformers_model("bert")
    with pytest.raises(CheckpointError, match="24 wide but the configuration says hidden_size 48"):
        read(arrays_of(source), source, hidden=48)


@pytest.mark.parametrize("heads", [5, 7, 25])
def test_heads_that_do_not_divide_the_width_are_refused(heads: int) -> None:
    source = transformers_model("bert")
    with pytest.raises(CheckpointError, match=f"{heads} heads"):
        read(arrays_of(source), source, heads=heads)


def test_attention_features_that_are_no_whole_heads_are_refused() -> None:
    source = transformers_model("bert")
    state = arrays_of(source)
    layer = "bert.encoder.layer.0.attention"
    for name in ("query", "key", "value"):
        for part in ("weight", "bias"):
            key = f"{layer}.self.{name}.{part}"
            state[key] = state[key][:20]  # two heads of eight, and a half
    state[f"{layer}.output.dense.weight"] = state[f"{layer}.output.dense.weight"][:, :20]
    with pytest.raises(CheckpointError, match="20 attention features"):
        read(state, source)


@pytest.mark.parametrize("kind", ["ernie", "bert", "roberta"])
@pytest.mark.parametrize(
    ("head", "pooling"),
    [("token", ""), ("span", ""), ("vector", "cls"), ("vector", "mean"), ("vector", "pooler")],
)
def test_each_head_answers_as_transformers(kind: str, head: str, pooling: str) -> None:
    source = transformers_model(kind, head=head)
    wanted = WantedHead(head=head, pooling=pooling or "cls")
    model = read(arrays_of(source), source, wanted)
    for row, expected in zip(
        single_rows(ROWS), expected_outputs(source, ROWS, pooling), strict=True
    ):
        assert_row_equal(model_outputs(model, row), expected)


@pytest.mark.parametrize("head", ["sequence", "token", "span", "vector"])
def test_the_head_is_the_configuration_s_where_nothing_else_is_wanted(head: str) -> None:
    source = transformers_model("ernie", head=head)
    assert HEAD_NAMES[type(read(arrays_of(source), source).head)] == head


@pytest.mark.parametrize(
    ("is_of", "wanted", "named", "asked"),
    [
        ("token", "sequence", "token_cls", "seq_cls or multi_label or regression or rerank"),
        ("token", "span", "token_cls", "qa"),
        ("span", "token", "qa", "token_cls"),
        ("sequence", "token", "seq_cls or multi_label or regression or rerank", "token_cls"),
        ("vector", "span", "embedding", "qa"),
    ],
)
def test_another_task_than_the_configuration_s_is_refused_with_both(
    is_of: str, wanted: str, named: str, asked: str
) -> None:
    source = transformers_model("ernie", head=is_of)
    expected = rf"weights\.bin is a model of {named}, .* found --task of {asked}$"
    with pytest.raises(CheckpointError, match=expected):
        read(arrays_of(source), source, WantedHead(head=wanted))


@pytest.mark.parametrize(
    ("is_of", "wanted"),
    [("span", "sequence"), ("span", "token"), ("vector", "token"), ("vector", "span")],
)
def test_another_task_s_arrays_are_refused_where_no_configuration_says_it(
    is_of: str, wanted: str
) -> None:
    source = transformers_model("ernie", head=is_of)
    with pytest.raises(CheckpointError, match=r"weights\.bin has no (array )?'?classifier"):
        read(arrays_of(source), source, WantedHead(head=wanted), head=None)


@pytest.mark.parametrize("kind", ["ernie", "roberta"])
@pytest.mark.parametrize("head", ["sequence", "token", "span"])
def test_vectors_of_a_fine_tuned_model_leave_its_head_out(kind: str, head: str) -> None:
    source = transformers_model(kind, head=head)
    model = read(arrays_of(source), source, WantedHead(head="vector", pooling="mean"))
    assert isinstance(model.head, VectorHead)
    has_pooler = (kind, head) == ("ernie", "sequence")
    assert (model.head.pooler is not None) == has_pooler
    base = getattr(source, kind)
    expected = expected_outputs(base, ROWS, "mean")
    for row, vector in zip(single_rows(ROWS), expected, strict=True):
        assert_row_equal(model_outputs(model, row), vector)


def test_the_pooler_s_vector_needs_a_pooler() -> None:
    source = transformers_model("bert", head="token")
    with pytest.raises(CheckpointError, match="pooling is 'pooler', but the model has no pooler"):
        read(arrays_of(source), source, WantedHead(head="vector", pooling="pooler"))


def test_a_pooler_that_the_head_does_not_read_is_passed_over() -> None:
    source = transformers_model("bert", head="token")
    weight = np.ones((24, 24), np.float32)
    extra = {"bert.pooler.dense.weight": weight, "bert.pooler.dense.bias": weight[0]}
    model = read(arrays_of(source) | extra, source)
    assert isinstance(model.head, TokenHead)


def test_spans_need_two_outputs() -> None:
    source = transformers_model("bert", head="span")
    state = arrays_of(source)
    state["qa_outputs.weight"] = np.ones((3, 24), np.float32)
    state["qa_outputs.bias"] = np.ones(3, np.float32)
    with pytest.raises(CheckpointError, match="layer has 3 outputs; expected 2, start and end"):
        read(state, source)


@pytest.mark.parametrize("head", ["token", "span"])
def test_a_head_of_another_width_than_the_encoder_s_is_refused(head: str) -> None:
    source = transformers_model("bert", head=head)
    state = arrays_of(source)
    name = {"token": "classifier.weight", "span": "qa_outputs.weight"}[head]
    state[name] = state[name][:, :20]
    with pytest.raises(CheckpointError, match="head takes 20 features but the encoder gives 24"):
        read(state, source)
