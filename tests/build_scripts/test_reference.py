"""The reference is what the source's own framework answers, or equal to it in float64."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from build_scripts.load import read_source
from build_scripts.load.source import Source
from build_scripts.load.state import TRANSFORMERS, model_from_state
from build_scripts.reference import model_logits, reference_for, rows_of
from ernie_triton.batch import TokenBatch
from tests.build_scripts.load.exports import (
    MaskFromInput,
    PrunedClassifier,
    export,
    randomised,
    transformers_model,
)
from tests.build_scripts.models import (
    PADDLE_EXAMPLE,
    arrays_of,
    checkpoint_config,
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
    found = np.array([model_logits(model, row) for row in single_rows(batch)])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_rows_come_out_of_a_batch_one_by_one() -> None:
    batch = TokenBatch(
        input_ids=np.array([1, 2, 3, 4, 5, 6], np.int32),
        token_type_ids=np.array([0, 1, 0, 0, 1, 1], np.int32),
        lengths=np.array([2, 1, 3], np.int32),
    )
    rows = [(ids.tolist(), types.tolist()) for ids, types in rows_of(batch)]
    assert rows == [([1, 2], [0, 1]), ([3], [0]), ([4, 5, 6], [0, 1, 1])]


def test_a_transformers_checkpoint_is_answered_by_transformers(tmp_path: Path) -> None:
    model = transformers_model("ernie")
    source = read_source(save_transformers(model, tmp_path))
    reference = reference_for(source)
    assert reference.name.startswith("transformers 5.")
    assert torch.__version__ in reference.name
    batch = random_rows((9, 4), types=2)
    found = [reference.logits(row) for row in single_rows(batch)]
    np.testing.assert_allclose(found, transformers_logits(model, batch), rtol=0, atol=1e-6)


def test_transformers_answers_from_old_names_and_files_too(tmp_path: Path) -> None:
    model = transformers_model("bert")
    old = {
        name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): tensor
        for name, tensor in model.state_dict().items()
    }
    save_transformers(model, tmp_path, state=old, weights_file="pytorch_model.bin")
    reference = reference_for(read_source(tmp_path))
    batch = random_rows((9, 4), types=2)
    found = [reference.logits(row) for row in single_rows(batch)]
    np.testing.assert_allclose(found, transformers_logits(model, batch), rtol=0, atol=1e-6)


def test_a_paddlenlp_checkpoint_is_answered_by_the_formulas(tmp_path: Path) -> None:
    model = transformers_model("bert")
    reference = reference_for(read_source(save_paddlenlp(model, tmp_path)))
    assert reference.name == "NumPy in float64"
    batch = random_rows((9, 4), types=2)
    found = [reference.logits(row) for row in single_rows(batch)]
    np.testing.assert_allclose(found, transformers_logits(model, batch), rtol=0, atol=1e-5)


def test_a_static_export_is_answered_by_itself_as_paddle_did() -> None:
    reference = reference_for(read_source(PADDLE_EXAMPLE / "seq_cls_inference"))
    assert reference.name.startswith("the exported graph in ONNX Runtime 1.")
    with np.load(PADDLE_EXAMPLE / "seq_cls_reference.npz") as expected:
        for case in range(5):
            row = expected[f"ids{case}"], expected[f"tt{case}"]
            found = reference.logits(row)
            np.testing.assert_allclose(found, expected[f"y{case}_0"][0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("inputs", ["all", "ids alone"])
def test_an_exported_graph_is_given_the_inputs_that_it_has(inputs: str) -> None:
    module: Any = (
        MaskFromInput(transformers_model("bert"))
        if inputs == "all"
        else randomised(PrunedClassifier())
    )
    source = Source(kind="ONNX graph", path=Path("m.onnx"), model=None, graph=export(module))
    reference = reference_for(source)
    for ids, types in single_rows(random_rows((9, 4), types=2)):
        tensors = [torch.from_numpy(part[None].astype(np.int64)) for part in (ids, types)]
        feed = [*tensors, torch.ones_like(tensors[0])] if inputs == "all" else tensors[:1]
        with torch.inference_mode():
            expected = module(*feed)[0].numpy()
        np.testing.assert_allclose(reference.logits((ids, types)), expected, rtol=0, atol=1e-5)


def test_a_source_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="neither a graph nor weights"):
        reference_for(Source(kind="none", path=Path("x"), model=None))
