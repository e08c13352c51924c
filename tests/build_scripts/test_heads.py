"""Each head in each layout and runtime gives what transformers' own head gives, row by row."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from build_scripts.encoder import Model, VectorHead
from build_scripts.engine import write_engine
from build_scripts.graph import export_onnx
from build_scripts.heads import needs_first_token_only
from build_scripts.load.naming import TRANSFORMERS
from build_scripts.load.source import Wanted
from build_scripts.load.state import model_from_state
from ernie_triton.batch import TokenBatch
from ernie_triton.engines import Engine, load_engine
from ernie_triton.stage_settings import EngineSettings
from ernie_triton.tasks import ENGINES, LAYOUTS, TASKS
from tests.build_scripts.load.exports import transformers_model
from tests.build_scripts.models import (
    arrays_of,
    assert_rows_equal,
    checkpoint_config,
    expected_outputs,
    random_rows,
)

HEADS = (
    ("seq_cls", "sequence", ""),
    ("token_cls", "token", ""),
    ("qa", "span", ""),
    ("embedding", "vector", "cls"),
    ("embedding", "vector", "mean"),
    ("embedding", "vector", "pooler"),
)
"""Each task with its head and pooling."""

LENGTHS = (7, 2, 30, 2, 13, 31)
"""Of the rows of one batch; padded, they are not all rounded up to the longest."""


def model_of(source: Any, head: str, pooling: str) -> Model:
    config = checkpoint_config(source)
    wanted = Wanted(head=head, pooling=pooling or "cls")
    return model_from_state(arrays_of(source), TRANSFORMERS, config, "here", wanted)


def engine_of(model: Model, folder: Path, *, task: str, engine: str, layout: str) -> Engine:
    settings = EngineSettings(
        task=task,
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
@pytest.mark.parametrize("engine", ENGINES)
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
    assert len(list(batch.micro_batches())) > 1
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
        "embedding": {"vector": ["items", 24]},
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
