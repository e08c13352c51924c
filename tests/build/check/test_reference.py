"""The reference is what the source's own framework answers, or equal to it in float64."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.reference import batch_rows, model_outputs, reference_for
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import Source, WantedHead
from ernie_triton.build.load.state import model_from_state
from ernie_triton.build.load.weights import TRANSFORMERS
from ernie_triton.tasks import QA, SEQ_CLS, TASKS
from tests.build.load.exports import (
    MaskFromIds,
    MaskFromInput,
    PrunedClassifier,
    export,
    randomised,
    transformers_model,
)
from tests.build.models import (
    PADDLE_EXAMPLE,
    arrays_of,
    assert_row_equal,
    checkpoint_config,
    expected_outputs,
    random_rows,
    save_paddlenlp,
    save_transformers,
    single_rows,
    transformers_logits,
)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("ernie", {}),
        ("ernie", {"use_task_id": False, "hidden_act": "relu"}),
        ("bert", {"hidden_act": "gelu_new", "layer_norm_eps": 1e-3}),
        ("roberta", {}),
    ],
)
def test_the_formulas_equal_transformers_in_float64(kind: str, settings: dict[str, Any]) -> None:
    source = transformers_model(kind, **settings)
    model = model_from_state(arrays_of(source), TRANSFORMERS, checkpoint_config(source), "here")
    batch = random_rows((7, 2, 20), types=source.config.type_vocab_size)
    expected = transformers_logits(source.to(torch.float64), batch)
    assert expected.dtype == np.float64
    found = np.array([model_outputs(model, row)["logits"] for row in single_rows(batch)])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_rows_come_out_of_a_batch_one_by_one() -> None:
    batch = TokenBatch(
        input_ids=np.array([1, 2, 3, 4, 5, 6], np.int32),
        token_type_ids=np.array([0, 1, 0, 0, 1, 1], np.int32),
        lengths=np.array([2, 1, 3], np.int32),
    )
    rows = [(ids.tolist(), types.tolist()) for ids, types in batch_rows(batch)]
    assert rows == [([1, 2], [0, 1]), ([3], [0]), ([4, 5, 6], [0, 1, 1])]


def test_a_transformers_checkpoint_is_answered_by_transformers(tmp_path: Path) -> None:
    model = transformers_model("ernie")
    source = read_source(save_transformers(model, tmp_path))
    reference = reference_for(source, SEQ_CLS)
    assert reference.name.startswith("transformers 5.")
    assert torch.__version__ in reference.name
    batch = random_rows((9, 4), types=2)
    found = [reference.outputs(row)["logits"] for row in single_rows(batch)]
    np.testing.assert_allclose(found, transformers_logits(model, batch), rtol=0, atol=1e-6)


def test_transformers_answers_from_old_names_and_files_too(tmp_path: Path) -> None:
    model = transformers_model("bert")
    old = {
        name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): tensor
        for name, tensor in model.state_dict().items()
    }
    save_transformers(model, tmp_path, state=old, weights_file="pytorch_model.bin")
    reference = reference_for(read_source(tmp_path), SEQ_CLS)
    batch = random_rows((9, 4), types=2)
    found = [reference.outputs(row)["logits"] for row in single_rows(batch)]
    np.testing.assert_allclose(found, transformers_logits(model, batch), rtol=0, atol=1e-6)


def test_a_paddlenlp_checkpoint_is_answered_by_the_formulas(tmp_path: Path) -> None:
    model = transformers_model("bert")
    reference = reference_for(read_source(save_paddlenlp(model, tmp_path)), SEQ_CLS)
    assert reference.name == "NumPy in float64"
    batch = random_rows((9, 4), types=2)
    found = [reference.outputs(row)["logits"] for row in single_rows(batch)]
    np.testing.assert_allclose(found, transformers_logits(model, batch), rtol=0, atol=1e-5)


def test_a_static_export_is_answered_by_itself_as_paddle_did() -> None:
    reference = reference_for(read_source(PADDLE_EXAMPLE / "seq_cls_inference"), SEQ_CLS)
    assert reference.name.startswith("the exported graph in ONNX Runtime 1.")
    with np.load(PADDLE_EXAMPLE / "seq_cls_reference.npz") as expected:
        for case in range(5):
            row = expected[f"ids{case}"], expected[f"tt{case}"]
            found = reference.outputs(row)["logits"]
            np.testing.assert_allclose(found, expected[f"y{case}_0"][0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("inputs", ["all", "ids alone"])
def test_an_exported_graph_is_given_the_inputs_that_it_has(inputs: str) -> None:
    module: Any = (
        MaskFromInput(transformers_model("bert"))
        if inputs == "all"
        else randomised(PrunedClassifier())
    )
    source = Source(kind="ONNX graph", path=Path("m.onnx"), model=None, graph=export(module))
    reference = reference_for(source, SEQ_CLS)
    for ids, types in single_rows(random_rows((9, 4), types=2)):
        tensors = [torch.from_numpy(part[None].astype(np.int64)) for part in (ids, types)]
        feed = [*tensors, torch.ones_like(tensors[0])] if inputs == "all" else tensors[:1]
        with torch.inference_mode():
            expected = module(*feed)[0].numpy()
        found = reference.outputs((ids, types))["logits"]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_a_source_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="neither a graph nor weights"):
        reference_for(Source(kind="none", path=Path("x"), model=None), SEQ_CLS)


HEADS = [
    ("token_cls", "token", ""),
    ("qa", "span", ""),
    ("embedding", "vector", "cls"),
    ("embedding", "vector", "mean"),
    ("embedding", "vector", "pooler"),
]
ROWS = random_rows((9, 2, 20), types=2)


@pytest.mark.parametrize("kind", ["ernie", "bert", "roberta"])
@pytest.mark.parametrize(("task", "head", "pooling"), HEADS)
def test_the_formulas_of_every_head_equal_transformers(
    kind: str, task: str, head: str, pooling: str
) -> None:
    source = transformers_model(kind, head=head)
    wanted = WantedHead(head=head, pooling=pooling or "cls")
    config = checkpoint_config(source)
    model = model_from_state(arrays_of(source), TRANSFORMERS, config, "here", wanted)
    rows = random_rows((9, 2, 20), types=source.config.type_vocab_size)
    expected = expected_outputs(source.to(torch.float64), rows, pooling)
    for row, answer in zip(single_rows(rows), expected, strict=True):
        found = model_outputs(model, row)
        assert list(found) == [tensor.name for tensor in TASKS[task].engine_outputs]
        assert {values.dtype for values in found.values()} == {np.dtype(np.float64)}
        assert_row_equal(found, answer)


@pytest.mark.parametrize("source_format", ["transformers", "PaddleNLP", "ONNX"])
@pytest.mark.parametrize(("task", "head", "pooling"), HEADS)
def test_every_format_s_reference_answers_for_every_head(
    tmp_path: Path, task: str, head: str, pooling: str, source_format: str
) -> None:
    model = transformers_model("ernie", head=head)
    model.base_model.embeddings.word_embeddings.weight.data[0] = 0  # as Paddle takes it
    if source_format == "transformers":
        save_transformers(model, tmp_path)
    elif source_format == "PaddleNLP":
        save_paddlenlp(model, tmp_path)
    else:
        onnx.save(export(MaskFromIds(model)), tmp_path / "model.onnx")
    source = read_source(tmp_path, WantedHead(head=head, pooling=pooling or "cls"))
    assert source.kind.startswith(source_format)
    reference = reference_for(source, TASKS[task])
    expected = expected_outputs(model, ROWS, pooling)
    for row, answer in zip(single_rows(ROWS), expected, strict=True):
        assert_row_equal(reference.outputs(row), answer)


@pytest.mark.parametrize("task", ["token_cls", "qa"])
def test_static_exports_of_other_tasks_are_answered_by_themselves_as_paddle_did(task: str) -> None:
    wanted = WantedHead(head=TASKS[task].head)
    source = read_source(PADDLE_EXAMPLE / f"{task}_inference", wanted)
    reference = reference_for(source, TASKS[task])
    names = [tensor.name for tensor in TASKS[task].engine_outputs]
    with np.load(PADDLE_EXAMPLE / f"{task}_reference.npz") as expected:
        for case in range(5):
            answer = {name: expected[f"y{case}_{place}"][0] for place, name in enumerate(names)}
            row = expected[f"ids{case}"], expected[f"tt{case}"]
            assert_row_equal(reference.outputs(row), answer)


def test_both_scores_of_spans_may_be_one_output_of_an_export() -> None:
    model = transformers_model("bert", head="span")
    both = export(MaskFromIds(model, lambda outputs, _: torch.stack(outputs, dim=-1)))
    source = Source(kind="ONNX graph", path=Path("m.onnx"), model=None, graph=both)
    reference = reference_for(source, QA)
    for row, answer in zip(single_rows(ROWS), expected_outputs(model, ROWS), strict=True):
        assert_row_equal(reference.outputs(row), answer)


def test_a_padding_token_inside_a_text_is_masked_by_transformers_too(tmp_path: Path) -> None:
    model = transformers_model("ernie", head="token")
    reference = reference_for(read_source(save_transformers(model, tmp_path)), TASKS["token_cls"])
    rows = random_rows((9,), types=2)
    rows.input_ids[4] = model.config.pad_token_id
    assert_row_equal(reference.outputs(single_rows(rows)[0]), expected_outputs(model, rows)[0])
