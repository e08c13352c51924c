"""Static exports are compared with the checkpoint they were made from and with Paddle's outputs."""

import gzip
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest

from ernie_triton.batch import packed_width
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.load.onnx_graph.model import model_from_onnx
from ernie_triton.build.load.paddle.export import is_paddle_export, onnx_from_paddle_export
from ernie_triton.build.model.encoder import named_arrays
from ernie_triton.build.model.heads import SequenceHead
from ernie_triton.errors import CheckpointError, MissingExtraError
from tests.paths import FIXTURES

EXAMPLE = FIXTURES / "paddle_example"
LEGACY = EXAMPLE / "seq_cls_inference"
PIR = FIXTURES / "paddle_pir_export"
HEADS = {"seq_cls": "sequence", "token_cls": "token", "qa": "span"}
PIR_PYTHON = os.environ.get("ERNIE_TRITON_PIR_PYTHON")


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A copy of the legacy export, to be damaged."""
    return Path(shutil.copytree(LEGACY, tmp_path / "export"))


def cut(path: Path, size_bytes: int) -> None:
    path.write_bytes(path.read_bytes()[:size_bytes])


def checkpoint_arrays(task: str) -> dict[str, npt.NDArray[np.float32]]:
    """PaddleNLP's own arrays, by the names of the canonical model."""
    state = pickle.loads((EXAMPLE / f"{task}_checkpoint/model_state.pdparams").read_bytes())
    tables = "ernie.embeddings."
    word = state[f"{tables}word_embeddings.weight"].copy()
    word[0] = 0  # paddle.nn.Embedding answers zeros for its padding_idx, whatever the row holds
    task_type = state[f"{tables}task_type_embeddings.weight"][0]
    arrays = {
        "encoder.word": word,
        "encoder.position": state[f"{tables}position_embeddings.weight"],
        "encoder.token_type": state[f"{tables}token_type_embeddings.weight"] + task_type,
    }
    names = {
        "encoder.embedding_norm": f"{tables}layer_norm",
        "head.output": "classifier",
    }
    if task == "seq_cls":
        names["head.pooler"] = "ernie.pooler.dense"
    parts = ("query", "key", "value", "attention_output", "attention_norm")
    theirs = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj")
    more, their_more = ("intermediate", "output", "output_norm"), ("linear1", "linear2", "norm2")
    for index in range(2):
        for part, their in zip((*parts, *more), (*theirs, "norm1", *their_more), strict=True):
            names[f"encoder.layers.{index}.{part}"] = f"ernie.encoder.layers.{index}.{their}"
    for name, their in names.items():
        weight = "scale" if name.endswith("norm") else "weight"
        arrays[f"{name}.{weight}"] = state[f"{their}.weight"]
        arrays[f"{name}.bias"] = state[f"{their}.bias"]
    return arrays


def assert_is_the_example(graph: onnx.ModelProto, task: str = "seq_cls") -> None:
    model = model_from_onnx(graph, HEADS[task])
    found, expected = dict(named_arrays(model)), checkpoint_arrays(task)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    assert [layer.heads for layer in model.encoder.layers] == [3, 3]
    assert model.encoder.activation == "gelu"
    assert model.encoder.pad_token_id == 0
    assert model.encoder.embedding_norm.epsilon == 1e-12
    if isinstance(model.head, SequenceHead):
        assert model.head.pooler_activation == "tanh"


def assert_gives_paddle_s_outputs(graph: onnx.ModelProto, task: str = "seq_cls") -> None:
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    with np.load(EXAMPLE / f"{task}_reference.npz") as reference:
        for case in range(5):
            feeds = {
                "input_ids": reference[f"ids{case}"][None],
                "token_type_ids": reference[f"tt{case}"][None],
            }
            expected = [reference[n] for n in sorted(reference) if n.startswith(f"y{case}_")]
            outputs = session.run(None, feeds)
            assert len(outputs) == len(expected) == (2 if task == "qa" else 1)
            for found, right in zip(outputs, expected, strict=True):
                np.testing.assert_allclose(found, right, rtol=0, atol=1e-5)


@pytest.mark.parametrize("path", [LEGACY, LEGACY / "model.pdmodel", LEGACY / "model.pdiparams"])
def test_legacy_export_holds_the_checkpoint_s_weights(path: Path) -> None:
    assert is_paddle_export(path)
    assert_is_the_example(onnx_from_paddle_export(path))


@pytest.mark.parametrize("task", ["token_cls", "qa"])
def test_legacy_exports_of_the_other_tasks_hold_their_checkpoints_weights(task: str) -> None:
    assert_is_the_example(onnx_from_paddle_export(EXAMPLE / f"{task}_inference"), task)


@pytest.mark.parametrize("task", HEADS)
def test_legacy_export_gives_paddle_s_outputs(task: str) -> None:
    assert_gives_paddle_s_outputs(onnx_from_paddle_export(EXAMPLE / f"{task}_inference"), task)


# The reference is Paddle's, so this is the whole way: export, weights, canonical graph, answer.
@pytest.mark.parametrize("layout", ["packed", "padded"])
@pytest.mark.parametrize("task", HEADS)
def test_canonical_graphs_of_an_export_give_paddle_s_outputs(task: str, layout: str) -> None:
    graph = onnx_from_paddle_export(EXAMPLE / f"{task}_inference")
    canonical = export_onnx(model_from_onnx(graph, HEADS[task]), layout)
    session = onnxruntime.InferenceSession(
        canonical.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    with np.load(EXAMPLE / f"{task}_reference.npz") as reference:
        rows = [(reference[f"ids{case}"], reference[f"tt{case}"]) for case in range(5)]
        lengths = np.array([len(ids) for ids, _ in rows], np.int32)
        real = np.arange(lengths.max()) < lengths[:, None]
        feeds = {"lengths": lengths, "width": packed_width(lengths)} if layout == "packed" else {}
        for name, column in (("input_ids", 0), ("token_type_ids", 1)):
            joined = np.concatenate([row[column] for row in rows]).astype(np.int32)
            feeds[name] = joined
            if layout == "padded":
                feeds[name] = np.zeros(real.shape, np.int32)
                feeds[name][real] = joined
        per_token = task != "seq_cls"
        for index, output in enumerate(session.run(None, feeds)):
            expected = np.concatenate([reference[f"y{case}_{index}"][0] for case in range(5)])
            found = output[real] if per_token and layout == "padded" else output
            np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=0, atol=1e-5)


def test_graph_that_paddle2onnx_2_made_of_a_pir_export_is_the_same_model() -> None:
    graph = onnx.load_from_string(gzip.decompress((PIR / "converted.onnx.gz").read_bytes()))
    assert_is_the_example(graph)
    assert_gives_paddle_s_outputs(graph)


@pytest.mark.skipif(PIR_PYTHON is None, reason="ERNIE_TRITON_PIR_PYTHON names no interpreter")
@pytest.mark.parametrize("path", [PIR, PIR / "model.json", LEGACY])
def test_paddle2onnx_2_converts_both_formats(path: Path) -> None:
    graph = onnx_from_paddle_export(path, python=Path(str(PIR_PYTHON)))
    assert_is_the_example(graph)
    assert_gives_paddle_s_outputs(graph)


def test_pir_export_is_told_from_other_json_files() -> None:
    assert is_paddle_export(PIR)
    assert is_paddle_export(PIR / "model.json")
    assert not is_paddle_export(EXAMPLE / "seq_cls_checkpoint")
    assert not is_paddle_export(EXAMPLE / "seq_cls_checkpoint/config.json")


def test_pir_export_names_the_extra_that_it_needs() -> None:
    with pytest.raises(MissingExtraError, match=r"paddle2onnx>=2.*\[paddle-pir\]"):
        onnx_from_paddle_export(PIR)


def test_interpreter_without_paddle2onnx_names_the_extra(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    with pytest.raises(MissingExtraError, match=r"'paddle2onnx'.*\[paddle\]"):
        onnx_from_paddle_export(LEGACY, python=tmp_path / "bare/bin/python")


# Left to itself, paddle2onnx 1.3.1 converts parameters that lack their last bytes without a word.
@pytest.mark.parametrize(
    ("size_bytes", "fault"),
    [(0, "is empty"), (10, "no tensor begins"), (200_000, "within tensor 1"), (-3, "3 bytes")],
)
def test_truncated_parameters_are_refused(damaged: Path, size_bytes: int, fault: str) -> None:
    cut(damaged / "model.pdiparams", size_bytes)
    with pytest.raises(CheckpointError, match=rf"model\.pdiparams .*{fault}"):
        onnx_from_paddle_export(damaged)


def test_parameters_with_something_appended_are_refused(damaged: Path) -> None:
    with (damaged / "model.pdiparams").open("ab") as file:
        file.write(b"more")
    with pytest.raises(CheckpointError, match="no tensor begins at byte 492312"):
        onnx_from_paddle_export(damaged)


@pytest.mark.parametrize("size_bytes", [0, 10_000, -1])
def test_truncated_program_is_refused(damaged: Path, size_bytes: int) -> None:
    cut(damaged / "model.pdmodel", size_bytes)
    with pytest.raises(CheckpointError, match=r"model\.pdmodel cannot be converted"):
        onnx_from_paddle_export(damaged)


def test_missing_files_are_named(damaged: Path, tmp_path: Path) -> None:
    (damaged / "model.pdiparams").unlink()
    with pytest.raises(CheckpointError, match=r"expected model\.pdiparams"):
        onnx_from_paddle_export(damaged)
    (damaged / "model.pdmodel").rename(damaged / "other.pdmodel")
    assert onnx_from_paddle_export(damaged, params=LEGACY / "model.pdiparams").graph.node
    shutil.copy(damaged / "other.pdmodel", damaged / "second.pdmodel")
    with pytest.raises(CheckpointError, match=r"2 static exports \(other.*, second"):
        onnx_from_paddle_export(damaged)
    with pytest.raises(CheckpointError, match="does not exist"):
        onnx_from_paddle_export(tmp_path / "nowhere")


def test_conversion_prints_nothing_and_leaves_nothing(
    damaged: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(damaged.iterdir())
    onnx_from_paddle_export(damaged)
    assert sorted(damaged.iterdir()) == before
    assert capfd.readouterr() == ("", "")
