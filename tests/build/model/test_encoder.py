"""Weights are listed in a fixed order; parts that do not fit are refused."""

import numpy as np
import pytest

from ernie_triton.build.model.encoder import Encoder, Layer, Linear, Norm, named_arrays
from ernie_triton.build.model.heads import (
    HEAD_NAMES,
    Head,
    SequenceHead,
    SpanHead,
    TokenHead,
    VectorHead,
)
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError, PipelineError
from ernie_triton.tasks import TASKS
from tests.build.load.exports import PrunedClassifier, randomised
from tests.build.models import pruned_model


def linear(inputs: int, outputs: int) -> Linear:
    return Linear(
        weight=np.zeros((inputs, outputs), np.float32), bias=np.zeros(outputs, np.float32)
    )


def norm(width: int) -> Norm:
    return Norm(scale=np.ones(width, np.float32), bias=np.zeros(width, np.float32), epsilon=1e-12)


def layer(*, key: int = 4, heads: int = 2, widened: int = 6, narrowed: int = 6) -> Layer:
    return Layer(
        query=linear(8, 4),
        key=linear(8, key),
        value=linear(8, 4),
        attention_output=linear(4, 8),
        attention_norm=norm(8),
        intermediate=linear(8, widened),
        output=linear(narrowed, 8),
        output_norm=norm(8),
        heads=heads,
    )


def test_sizes_are_those_of_the_arrays() -> None:
    model = pruned_model(randomised(PrunedClassifier(shapes=((3, 40), (1, 16)))))
    assert [(part.heads, part.head_size, part.hidden) for part in model.encoder.layers] == [
        (3, 8, 24),
        (1, 8, 24),
    ]
    assert (model.encoder.hidden, model.encoder.vocabulary_size) == (24, 60)
    assert model.encoder.max_positions == 16


def test_every_weight_is_walked_once_and_counted() -> None:
    source = randomised(PrunedClassifier(shapes=((3, 40), (1, 16))))
    model = pruned_model(source)
    names = [name for name, _ in named_arrays(model)]
    assert names[:4] == [
        "encoder.word",
        "encoder.position",
        "encoder.token_type",
        "encoder.embedding_norm.scale",
    ]
    assert names[5] == "encoder.layers.0.query.weight"
    assert names[-1] == "head.output.bias"
    assert len(names) == len(set(names))
    token_type = 24  # the module has none; ours is a row of zeros
    weights = sum(parameter.numel() for parameter in source.parameters())
    assert model.parameters == weights + token_type


def test_parts_of_a_layer_that_do_not_fit_are_refused() -> None:
    assert layer().head_size == 2
    with pytest.raises(CheckpointError, match="query 4, key 6, value 4 outputs"):
        layer(key=6)
    with pytest.raises(CheckpointError, match="4 attention features do not divide into 3 heads"):
        layer(heads=3)
    with pytest.raises(CheckpointError, match="widens to 6 features but narrows from 5"):
        layer(narrowed=5)


def test_an_encoder_needs_a_layer_and_a_known_activation() -> None:
    table = np.zeros((3, 8), np.float32)
    for layers, activation, fault in (((), "gelu", "no layers"), ((layer(),), "selu", "'selu'")):
        with pytest.raises(CheckpointError, match=fault):
            Encoder(
                word=table,
                position=table,
                token_type=table,
                embedding_norm=norm(8),
                layers=layers,
                activation=activation,
                pad_token_id=0,
            )


def test_a_head_needs_a_known_activation_and_a_pooler_that_fits() -> None:
    with pytest.raises(CheckpointError, match="pooler's activation 'selu'"):
        SequenceHead(pooler=None, pooler_activation="selu", output=linear(8, 2))
    with pytest.raises(CheckpointError, match="gives 6 features but the classifier takes 8"):
        SequenceHead(pooler=linear(8, 6), pooler_activation="tanh", output=linear(8, 2))


@pytest.mark.parametrize(
    "head",
    [
        SequenceHead(pooler=linear(6, 8), pooler_activation="tanh", output=linear(8, 2)),
        SequenceHead(pooler=None, pooler_activation="tanh", output=linear(6, 2)),
        TokenHead(output=linear(6, 2)),
        SpanHead(output=linear(6, 2)),
        VectorHead(pooling="pooler", pooler=linear(6, 8), pooler_activation="tanh"),
    ],
)
def test_every_head_takes_what_the_encoder_gives(head: Head) -> None:
    encoder = pruned_model(randomised(PrunedClassifier())).encoder
    with pytest.raises(CheckpointError, match="head takes 6 features but the encoder gives 24"):
        Model(encoder=encoder, head=head)


def test_spans_and_vectors_are_refused_where_they_make_no_sense() -> None:
    with pytest.raises(CheckpointError, match="has 3 outputs; expected 2, start and end"):
        SpanHead(output=linear(8, 3))
    with pytest.raises(PipelineError, match="pooling is 'top'; expected one of cls, max, mean, "):
        VectorHead(pooling="top", pooler=None, pooler_activation="tanh")
    with pytest.raises(CheckpointError, match="pooling is 'pooler', but the model has no pooler"):
        VectorHead(pooling="pooler", pooler=None, pooler_activation="tanh")


def test_every_head_of_the_tasks_has_its_class() -> None:
    assert set(HEAD_NAMES.values()) == {task.head for task in TASKS.values()}
