"""Each head gives the outputs of transformers, in each layout and runtime, row by row."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from ernie_triton.batch import TokenBatch
from ernie_triton.build.convert.engine_file import write_engine
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.graph.heads import needs_first_token_only
from ernie_triton.build.graph.numerics import FP32, Numerics
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.load.state import model_from_state
from ernie_triton.build.load.weights import TRANSFORMERS
from ernie_triton.build.model.encoder import Linear, Norm
from ernie_triton.build.model.heads import Cut, Dense, UnitLength, VectorHead
from ernie_triton.build.model.models import Model
from ernie_triton.engines import ENGINE_FILES, Engine, load_engine
from ernie_triton.errors import CheckpointError
from ernie_triton.settings import EngineSettings
from ernie_triton.tasks import LAYOUTS, TASKS
from tests.build.load.exports import transformers_model
from tests.build.models import (
    arrays_of,
    assert_rows_equal,
    checkpoint_config,
    expected_outputs,
    padded_inputs,
    random_rows,
)

EVERY_POOLING = "cls+max+mean+mean_sqrt_len+weightedmean+lasttoken"

HEADS = (
    ("seq_cls", "sequence", ""),
    ("token_cls", "token", ""),
    ("qa", "span", ""),
    ("embedding", "vector", "cls"),
    ("embedding", "vector", "mean"),
    ("embedding", "vector", "pooler"),
    ("embedding", "vector", EVERY_POOLING),
)
"""Each task with its head and pooling."""

LENGTHS = (7, 2, 30, 2, 13, 31)
"""Of the rows of one batch; padded, they are not all rounded up to the longest."""


def model_of(source: Any, head: str, pooling: str) -> Model:
    config = checkpoint_config(source)
    wanted = WantedHead(head=head, pooling=pooling or "cls")
    return model_from_state(arrays_of(source), TRANSFORMERS, config, "here", wanted)


def engine_of(model: Model, folder: Path, *, task: str, engine: str, layout: str) -> Engine:
    settings = EngineSettings(
        task=task,
        pair=True,
        engine=engine,
        precision="fp32",
        layout=layout,
        threads=1,
        max_length=32,
        pad_token_id=model.encoder.pad_token_id,
        vocabulary_size=60,
        token_types=4,
    )
    write_engine(export_onnx(model, layout), engine, folder)
    return load_engine(folder, settings)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("engine", ENGINE_FILES)
@pytest.mark.parametrize(("task", "head", "pooling"), HEADS)
def test_rows_of_different_lengths_get_transformers_outputs(
    tmp_path: Path, task: str, head: str, pooling: str, engine: str, layout: str
) -> None:
    source = transformers_model("ernie", head=head)
    model = model_of(source, head, pooling)
    loaded = engine_of(model, tmp_path, task=task, engine=engine, layout=layout)
    batch = random_rows(LENGTHS, types=4)
    found = loaded.run(batch)
    assert {values.dtype for values in found.values()} == {np.dtype(np.float32)}
    expected = expected_outputs(source, batch, pooling)
    assert_rows_equal(found, expected, per_token=TASKS[task].is_per_token)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize(("task", "head", "pooling"), HEADS)
def test_the_relatives_of_ernie_have_the_same_heads(
    tmp_path: Path, kind: str, task: str, head: str, pooling: str
) -> None:
    # RoBERTa's positions begin after its padding token's id.
    source = transformers_model(kind, head=head, max_position_embeddings=40)
    model = model_of(source, head, pooling)
    loaded = engine_of(model, tmp_path, task=task, engine="onnxruntime", layout="packed")
    batch = random_rows(LENGTHS, types=source.config.type_vocab_size)
    expected = expected_outputs(source, batch, pooling)
    assert_rows_equal(loaded.run(batch), expected, per_token=TASKS[task].is_per_token)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("task", "head", "pooling"), HEADS)
def test_a_row_s_outputs_do_not_depend_on_its_company(
    tmp_path: Path, task: str, head: str, pooling: str, layout: str
) -> None:
    model = model_of(transformers_model("ernie", head=head), head, pooling)
    loaded = engine_of(model, tmp_path, task=task, engine="openvino", layout=layout)
    batch = random_rows(LENGTHS, types=4)
    alone = [loaded.run(batch.select(np.array([row]))) for row in range(batch.rows)]
    rows = np.array([5, 2, 0, 4, 3, 1])
    for name, values in loaded.run(batch.select(rows)).items():
        wanted = np.concatenate([alone[row][name] for row in rows])
        np.testing.assert_allclose(values, wanted, rtol=0, atol=1e-5)


def test_outputs_of_tokens_come_back_in_order_from_runs_of_similar_lengths(tmp_path: Path) -> None:
    source = transformers_model("ernie", head="span")
    loaded = engine_of(
        model_of(source, "span", ""), tmp_path, task="qa", engine="openvino", layout="packed"
    )
    lengths = np.random.default_rng(0).integers(2, 32, 400).tolist()
    batch = random_rows(lengths, types=4)
    assert len(list(batch.micro_batches(loaded.runtime.most_cells))) > 1
    for name, values in loaded.run(batch).items():
        for row in (0, 17, 399):
            end = sum(lengths[: row + 1])
            alone = loaded.run(batch.select(np.array([row])))[name]
            np.testing.assert_allclose(values[end - lengths[row] : end], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("task", "head", "pooling"), HEADS)
def test_outputs_are_declared_as_they_are(task: str, head: str, pooling: str, layout: str) -> None:
    model = model_of(transformers_model("bert", head=head), head, pooling)
    graph = export_onnx(model, layout)
    onnx.checker.check_model(graph, full_check=True)
    tokens = ["tokens"] if layout == "packed" else ["items", "length"]
    shapes = {
        "seq_cls": {"logits": ["items", 5]},
        "token_cls": {"logits": [*tokens, 5]},
        "qa": {"start_logits": tokens, "end_logits": tokens},
        "embedding": {"vector": ["items", 24 * (1 + pooling.count("+"))]},
    }[task]
    found = {
        output.name: [dim.dim_param or dim.dim_value for dim in output.type.tensor_type.shape.dim]
        for output in graph.graph.output
    }
    assert found == shapes
    assert list(found) == [tensor.name for tensor in TASKS[task].engine_outputs]


@pytest.mark.parametrize(("task", "head", "pooling"), HEADS)
def test_the_last_layer_computes_first_tokens_alone_where_no_other_is_read(
    task: str, head: str, pooling: str
) -> None:
    model = model_of(transformers_model("bert", head=head), head, pooling)
    first_only = task == "seq_cls" or pooling in ("cls", "pooler")
    assert needs_first_token_only(model.head) == first_only
    made = {node.name for node in export_onnx(model, "packed").graph.node}
    assert ("layer_1/first" in made) == first_only
    assert "layer_0/first" not in made


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_mean_leaves_out_padding_and_nothing_else(tmp_path: Path, layout: str) -> None:
    source = transformers_model("bert", head="vector")
    model = model_of(source, "vector", "mean")
    assert isinstance(model.head, VectorHead)
    loaded = engine_of(model, tmp_path, task="embedding", engine="openvino", layout=layout)
    short, long = random_rows((2,), types=2), random_rows((31,), types=2, seed=1)
    both = TokenBatch(
        input_ids=np.concatenate([short.input_ids, long.input_ids]),
        token_type_ids=np.concatenate([short.token_type_ids, long.token_type_ids]),
        lengths=np.array([2, 31], np.int32),
    )
    expected = expected_outputs(source, both, "mean")
    assert_rows_equal(loaded.run(both), expected, per_token=False)


@pytest.mark.parametrize("numerics", [FP32, Numerics(compute="fp16")])
@pytest.mark.parametrize(("task", "head", "pooling"), HEADS)
def test_padding_inside_a_packed_batch_counts_for_nothing(
    task: str, head: str, pooling: str, numerics: Numerics
) -> None:
    """As Triton's own ragged batching makes it: rows of a request have one length, lengths too."""
    source = transformers_model("bert", head=head)
    model = model_of(source, head, pooling)
    batch = random_rows((3, 9, 5, 12), types=2)
    expected = expected_outputs(source, batch, pooling)
    widths = (9, 9, 12, 12)
    feed = {"lengths": np.array(widths, np.int32)}
    # More than a row is long, not a multiple, and more than the model has positions.
    feed["width"] = np.zeros(sum(widths) + 1, np.int32)
    for name, fill in (("input_ids", model.encoder.pad_token_id), ("token_type_ids", 0)):
        rows = np.split(getattr(batch, name), np.cumsum(batch.lengths)[:-1])
        padded = [
            np.pad(row, (0, width - len(row)), constant_values=fill)
            for row, width in zip(rows, widths, strict=True)
        ]
        feed[name] = np.concatenate(padded)
    session = onnxruntime.InferenceSession(
        export_onnx(model, "packed", numerics).SerializeToString(),
        providers=["CPUExecutionProvider"],
    )
    starts = np.cumsum([0, *widths[:-1]])
    for output, values in zip(session.get_outputs(), session.run(None, feed), strict=True):
        for row, start in enumerate(starts):
            places = slice(start, start + batch.lengths[row])
            found = values[places] if TASKS[task].is_per_token else values[row]
            np.testing.assert_allclose(
                found, expected[row][output.name], rtol=0, atol=1e-5 if numerics is FP32 else 2e-2
            )


def test_the_mean_of_a_packed_batch_is_that_of_the_real_tokens_states() -> None:
    model = model_of(transformers_model("bert", head="vector"), "vector", "mean")
    pad = model.encoder.pad_token_id
    graph = export_onnx(model, "packed")
    states = onnx.helper.make_tensor_value_info("layer_1/output/norm", 1, ["tokens", 24])
    graph.graph.output.append(states)
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ids = np.array([7, 8, pad, pad, 9, 10, 11, 12, 13, pad], np.int32)
    feed = {
        "input_ids": ids,
        "token_type_ids": np.zeros_like(ids),
        "lengths": np.array([4, 4, 2], np.int32),
        "width": np.zeros(4, np.int32),
    }
    vector, hidden = session.run(None, feed)
    by_hand = [
        (hidden[0] + hidden[1]) / 2,
        (hidden[4] + hidden[5] + hidden[6] + hidden[7]) / 4,
        hidden[8],
    ]
    np.testing.assert_allclose(vector, by_hand, rtol=0, atol=1e-6)


LAYERS = (
    UnitLength(),
    Dense(
        linear=Linear(
            weight=np.random.default_rng(1).standard_normal((48, 20)).astype(np.float32),
            bias=np.linspace(-1, 1, 20, dtype=np.float32),
        ),
        activation="sigmoid",
    ),
    Norm(
        scale=np.linspace(0.5, 2, 20, dtype=np.float32),
        bias=np.linspace(1, -1, 20, dtype=np.float32),
        epsilon=1e-5,
    ),
    UnitLength(),
    Cut(width=7),
)


@pytest.mark.parametrize("numerics", [FP32, Numerics(compute="fp16")])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layers_behind_the_pooling_are_torch_s(layout: str, numerics: Numerics) -> None:
    source = transformers_model("bert", head="vector")
    model = model_of(source, "vector", "max+mean")
    assert isinstance(model.head, VectorHead)
    head = dataclasses.replace(model.head, layers=LAYERS)
    model = dataclasses.replace(model, head=head)
    assert head.width(24) == 7
    batch = random_rows(LENGTHS, types=2)
    pooled = [row["vector"] for row in expected_outputs(source, batch, "max+mean")]
    x = torch.nn.functional.normalize(torch.from_numpy(np.stack(pooled)), dim=-1)
    dense, norm = LAYERS[1], LAYERS[2]
    assert isinstance(dense, Dense)
    assert isinstance(norm, Norm)
    linear = dense.linear
    x = torch.sigmoid(x @ torch.from_numpy(linear.weight) + torch.from_numpy(linear.bias))
    weight, bias = torch.from_numpy(norm.scale), torch.from_numpy(norm.bias)
    x = torch.nn.functional.layer_norm(x, (20,), weight, bias, 1e-5)
    expected = torch.nn.functional.normalize(x, dim=-1)[:, :7].numpy()
    graph = export_onnx(model, layout, numerics)
    onnx.checker.check_model(graph, full_check=True)
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    if layout == "packed":
        feed = batch.packed()
    else:
        feed = padded_inputs(batch, model.encoder.pad_token_id)
    (found,) = session.run(None, feed)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 if numerics is FP32 else 1e-2)


def test_a_layer_that_does_not_fit_the_pooling_is_refused() -> None:
    model = model_of(transformers_model("bert", head="vector"), "vector", "mean")
    assert isinstance(model.head, VectorHead)
    head = dataclasses.replace(model.head, layers=LAYERS)
    with pytest.raises(CheckpointError, match="pooling mean takes 48 features, but is given 24"):
        dataclasses.replace(model, head=head)
