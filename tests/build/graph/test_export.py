"""The canonical graph gives the outputs of transformers and torch, row by row."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.reference import model_outputs
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.load.state import model_from_state
from ernie_triton.build.load.weights import TRANSFORMERS
from ernie_triton.build.model.models import Model
from ernie_triton.tasks import LAYOUTS
from tests.build.load.exports import PrunedClassifier, randomised, transformers_model
from tests.build.models import (
    arrays_of,
    checkpoint_config,
    graph_logits,
    padded_inputs,
    pruned_model,
    random_rows,
    single_rows,
    transformers_logits,
)

LENGTHS = (7, 2, 30, 1, 13)
"""Of the rows of one batch; none is as long as the model's 32 positions."""


def model_of(source: Any) -> Model:
    return model_from_state(arrays_of(source), TRANSFORMERS, checkpoint_config(source), "here")


def answers(model: Model, layout: str, batch: TokenBatch) -> npt.NDArray[np.float32]:
    inputs = (
        batch.packed() if layout == "packed" else padded_inputs(batch, model.encoder.pad_token_id)
    )
    return graph_logits(export_onnx(model, layout), inputs)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("ernie", {}),
        ("ernie", {"use_task_id": False, "hidden_act": "relu"}),
        ("bert", {"hidden_act": "gelu"}),
        ("bert", {"hidden_act": "gelu_new", "layer_norm_eps": 1e-3}),
        ("roberta", {"pad_token_id": 1}),
        ("roberta", {"pad_token_id": 4, "hidden_act": "relu"}),
    ],
)
def test_rows_of_different_lengths_get_transformers_logits(
    kind: str, settings: dict[str, Any], layout: str
) -> None:
    # RoBERTa's positions begin after its padding token's id.
    source = transformers_model(kind, max_position_embeddings=40, **settings)
    batch = random_rows(LENGTHS, types=source.config.type_vocab_size)
    found = answers(model_of(source), layout, batch)
    np.testing.assert_allclose(found, transformers_logits(source, batch), rtol=0, atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["ernie", "bert"])
def test_a_pad_token_inside_a_row_is_masked_as_in_the_source(kind: str, layout: str) -> None:
    source = transformers_model(kind)
    batch = random_rows((9, 5), types=2)
    batch.input_ids[[3, 4, 8, 11]] = source.config.pad_token_id
    found = answers(model_of(source), layout, batch)
    expected = transformers_logits(source, batch)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    batch.input_ids[[3, 4, 8, 11]] = 7
    assert np.abs(transformers_logits(source, batch) - expected).max() > 1e-3


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pruned_layers_of_different_shapes_get_the_torch_module_s_logits(layout: str) -> None:
    source: Any = randomised(PrunedClassifier(shapes=((3, 40), (1, 16), (2, 8))))
    model = pruned_model(source)
    batch = random_rows((6, 16, 2, 11), types=1)
    batch.input_ids[8] = 3  # its pad token
    with torch.inference_mode():
        expected = np.array(
            [
                source(torch.from_numpy(ids[None].astype(np.int64)))[0]
                for ids, _ in single_rows(batch)
            ]
        )
    found = answers(model, layout, batch)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    by_formula = [model_outputs(model, row)["logits"] for row in single_rows(batch)]
    np.testing.assert_allclose(found, by_formula, rtol=0, atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_order_of_rows_does_not_matter_and_one_row_is_a_batch(layout: str) -> None:
    model = model_of(transformers_model("ernie"))
    batch = random_rows(LENGTHS, types=4)
    together = answers(model, layout, batch)
    rows = single_rows(batch)
    turned = TokenBatch(
        input_ids=np.concatenate([ids for ids, _ in rows[::-1]]),
        token_type_ids=np.concatenate([types for _, types in rows[::-1]]),
        lengths=batch.lengths[::-1].copy(),
    )
    np.testing.assert_allclose(answers(model, layout, turned)[::-1], together, rtol=0, atol=1e-5)
    for row, (ids, types) in enumerate(rows):
        alone = TokenBatch(
            input_ids=ids, token_type_ids=types, lengths=np.array([len(ids)], np.int32)
        )
        found = answers(model, layout, alone)
        assert found.shape == (1, together.shape[1])
        np.testing.assert_allclose(found[0], together[row], rtol=0, atol=1e-5)


def test_padding_beyond_the_longest_row_changes_nothing() -> None:
    source = transformers_model("bert")
    batch = random_rows((3, 5), types=2)
    wider = {
        name: np.pad(values, ((0, 0), (0, 11)))
        for name, values in padded_inputs(batch, source.config.pad_token_id).items()
    }
    found = graph_logits(export_onnx(model_of(source), "padded"), wider)
    np.testing.assert_allclose(found, transformers_logits(source, batch), rtol=0, atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["ernie", "roberta"])
def test_graphs_are_valid_and_of_standard_operators_of_opset_20(kind: str, layout: str) -> None:
    graph = export_onnx(model_of(transformers_model(kind)), layout)
    onnx.checker.check_model(graph, full_check=True)
    assert [(item.domain, item.version) for item in graph.opset_import] == [("", 20)]
    for node in graph.graph.node:
        assert node.domain == ""
        assert onnx.defs.has(node.op_type, max_inclusive_version=20)
        assert not any(attribute.HasField("g") for attribute in node.attribute)
    names = ["input_ids", "token_type_ids", *(["lengths", "width"] if layout == "packed" else [])]
    assert [item.name for item in graph.graph.input] == names
    kinds = {item.type.tensor_type.elem_type for item in graph.graph.input}
    assert kinds == {onnx.TensorProto.INT32}
    ranks = [len(item.type.tensor_type.shape.dim) for item in graph.graph.input]
    assert ranks == ([1, 1, 1, 1] if layout == "packed" else [2, 2])
    assert [item.name for item in graph.graph.output] == ["logits"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_model_gives_the_same_bytes_and_unique_names(layout: str) -> None:
    graphs = [export_onnx(model_of(transformers_model("ernie")), layout) for _ in range(2)]
    assert graphs[0].SerializeToString() == graphs[1].SerializeToString()
    graph = graphs[0].graph
    made = [name for node in graph.node for name in node.output]
    assert len(made) == len(set(made))
    assert [node.name for node in graph.node] == made
    used = {name for node in graph.node for name in node.input} | {"logits"}
    held = {item.name for item in graph.initializer} | {item.name for item in graph.input}
    assert used <= held | set(made)
    assert held | set(made) <= used


def test_both_layouts_hold_the_same_weights() -> None:
    model = model_of(transformers_model("bert"))
    packed, padded = (
        {
            item.name: item.raw_data
            for item in export_onnx(model, layout).graph.initializer
            if item.data_type == onnx.TensorProto.FLOAT
        }
        for layout in LAYOUTS
    )
    assert packed == padded
    # Some that have to be among them.
    assert {"embeddings/word/weight", "embeddings/position/weight"} < set(packed)
    assert packed["embeddings/word/weight"] == model.encoder.word.tobytes()


def test_an_unknown_layout_is_refused() -> None:
    with pytest.raises(ValueError, match="'ragged' is not one of packed, padded"):
        export_onnx(model_of(transformers_model("bert")), "ragged")
