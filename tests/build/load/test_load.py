"""The format of a path is recognised, and every format gives the same model."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import Source, WantedHead
from ernie_triton.build.model.encoder import named_arrays
from ernie_triton.build.model.heads import HEAD_NAMES, SequenceHead, VectorHead
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError, OtherTaskError
from tests.build.load.exports import (
    MaskFromIds,
    PrunedClassifier,
    export,
    randomised,
    transformers_model,
)
from tests.build.models import PADDLE_EXAMPLE, save_paddlenlp, save_transformers


@pytest.fixture(scope="module")
def ernie() -> Any:
    model = transformers_model("ernie")
    model.ernie.embeddings.word_embeddings.weight.data[0] = 0  # as Paddle takes it
    return model


@pytest.fixture(scope="module")
def exported(ernie: Any) -> onnx.ModelProto:
    return export(MaskFromIds(ernie))


@pytest.fixture(scope="module")
def formats(
    tmp_path_factory: pytest.TempPathFactory, ernie: Any, exported: onnx.ModelProto
) -> Path:
    """One model in four formats."""
    folder = tmp_path_factory.mktemp("formats")
    save_transformers(ernie, folder / "safetensors")
    save_transformers(ernie, folder / "bin", weights_file="pytorch_model.bin")
    save_paddlenlp(ernie, folder / "paddlenlp")
    (folder / "onnx").mkdir()
    onnx.save(exported, folder / "onnx/exported.onnx")
    return folder


def model_in(source: Source) -> Model:
    assert isinstance(source.model, Model), source.unrecognised
    return source.model


@pytest.mark.parametrize("other", ["bin", "paddlenlp", "onnx"])
def test_one_model_in_every_format_is_the_same_canonical_graph(formats: Path, other: str) -> None:
    first, second = (model_in(read_source(formats / name)) for name in ("safetensors", other))
    arrays = dict(named_arrays(first))
    assert len(arrays) == 41
    for name, array in named_arrays(second):
        np.testing.assert_array_equal(array, arrays.pop(name), err_msg=name)
    assert not arrays
    for layout in ("packed", "padded"):
        graphs = [export_onnx(model, layout).SerializeToString() for model in (first, second)]
        assert graphs[0] == graphs[1]


def test_a_paddle_checkpoint_and_its_static_export_are_the_same_canonical_graph() -> None:
    first = model_in(read_source(PADDLE_EXAMPLE / "seq_cls_checkpoint"))
    second = model_in(read_source(PADDLE_EXAMPLE / "seq_cls_inference"))
    arrays = dict(named_arrays(first))
    for name, array in named_arrays(second):
        np.testing.assert_array_equal(array, arrays.pop(name), err_msg=name)
    assert not arrays
    graphs = [export_onnx(model, "packed").graph for model in (first, second)]
    assert list(graphs[0].node) == list(graphs[1].node)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("safetensors", "transformers checkpoint (model.safetensors)"),
        ("safetensors/model.safetensors", "transformers checkpoint (model.safetensors)"),
        ("bin", "transformers checkpoint (pytorch_model.bin)"),
        ("bin/pytorch_model.bin", "transformers checkpoint (pytorch_model.bin)"),
        ("paddlenlp", "PaddleNLP checkpoint (model_state.pdparams)"),
        ("paddlenlp/model_state.pdparams", "PaddleNLP checkpoint (model_state.pdparams)"),
        ("onnx", "ONNX graph (exported.onnx)"),
        ("onnx/exported.onnx", "ONNX graph"),
    ],
)
def test_each_format_is_known_by_its_folder_or_file(formats: Path, path: str, kind: str) -> None:
    source = read_source(formats / path)
    assert source.kind == kind
    assert (source.graph is not None) == kind.startswith("ONNX graph")


@pytest.mark.parametrize("name", ["", "model.pdmodel", "model.pdiparams"])
def test_a_static_export_is_known_by_its_folder_or_files(name: str) -> None:
    source = read_source(PADDLE_EXAMPLE / "seq_cls_inference" / name)
    assert source.kind == "PaddleNLP static export"
    assert source.vocabulary is None
    assert source.graph is not None


def test_weights_are_preferred_to_an_export_beside_them(formats: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(formats / "paddlenlp", tmp_path / "both"))
    shutil.copy(formats / "onnx/exported.onnx", folder)
    assert read_source(folder).kind == "PaddleNLP checkpoint (model_state.pdparams)"
    assert read_source(folder / "exported.onnx").kind == "ONNX graph"


def test_what_lies_beside_an_export_is_read_with_it(formats: Path, tmp_path: Path) -> None:
    folder = save_transformers(transformers_model("ernie"), tmp_path, id2label={0: "好", 1: "坏"})
    (folder / "model.safetensors").unlink()
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8")
    shutil.copy(formats / "onnx/exported.onnx", folder)
    for path in (folder, folder / "exported.onnx"):
        source = read_source(path)
        assert source.labels == ("好", "坏")
        assert source.vocabulary == folder / "vocab.txt"
        assert not source.lower_case


def test_a_configuration_says_of_an_export_its_labels_alone(formats: Path, tmp_path: Path) -> None:
    shutil.copy(formats / "onnx/exported.onnx", tmp_path)
    config: dict[str, Any] = {"model_type": "ernie"}
    config |= {"hidden_act": "silu", "position_embedding_type": "relative_key"}
    config |= {"auto_map": {"AutoModel": "own.Model"}, "id2label": dict(enumerate("甲乙丙丁戊"))}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    source = read_source(tmp_path)
    assert source.model is not None
    assert source.labels == tuple("甲乙丙丁戊")


def test_a_graph_that_is_not_recognised_is_kept_with_the_reason(tmp_path: Path) -> None:
    swish = export(randomised(PrunedClassifier(lambda x: x * x.sigmoid())))
    onnx.save(swish, tmp_path / "model.onnx")
    source = read_source(tmp_path)
    assert source.model is None
    assert source.graph == swish
    assert "none of the activations" in source.unrecognised


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        read_source(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"holds no checkpoint; saw .* looked for model"):
        read_source(tmp_path)
    (tmp_path / "weights.h5").write_bytes(b"")
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        read_source(tmp_path / "weights.h5")


def test_one_of_several_onnx_files_has_to_be_named(
    tmp_path: Path, exported: onnx.ModelProto
) -> None:
    for name in ("b.onnx", "a.onnx"):
        onnx.save(exported, tmp_path / name)
    with pytest.raises(CheckpointError, match=r"2 ONNX files \(a\.onnx, b\.onnx\); name the one"):
        read_source(tmp_path)
    assert isinstance(model_in(read_source(tmp_path / "b.onnx")).head, SequenceHead)


@pytest.mark.parametrize("kept", [0, 1, 1000, 40_000, -1])
def test_a_truncated_onnx_file_is_refused(
    tmp_path: Path, exported: onnx.ModelProto, kept: int
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(exported.SerializeToString()[:kept])
    with pytest.raises(CheckpointError, match=r"model\.onnx is truncated or not an ONNX file"):
        read_source(path)


def test_an_onnx_file_without_its_external_weights_is_refused(
    tmp_path: Path, exported: onnx.ModelProto
) -> None:
    copy = onnx.ModelProto()
    copy.CopyFrom(exported)
    path = tmp_path / "model.onnx"
    onnx.save_model(copy, path, save_as_external_data=True, location="model.data", size_threshold=0)
    assert read_source(path).model is not None
    (tmp_path / "model.data").unlink()
    with pytest.raises(CheckpointError, match=r"keeps its weights in 'model\.data', which is"):
        read_source(path)


@pytest.mark.parametrize("head", ["token", "span", "vector"])
def test_each_task_in_every_format_is_the_same_canonical_graph(tmp_path: Path, head: str) -> None:
    source = transformers_model("ernie", head=head)
    getattr(source, "ernie", source).embeddings.word_embeddings.weight.data[0] = 0
    save_transformers(source, tmp_path / "safetensors")
    save_paddlenlp(source, tmp_path / "paddlenlp")
    (tmp_path / "onnx").mkdir()
    onnx.save(export(MaskFromIds(source)), tmp_path / "onnx/model.onnx")
    wanted = WantedHead(head=head, pooling="mean")
    first, *others = (
        model_in(read_source(tmp_path / name, wanted))
        for name in ("safetensors", "paddlenlp", "onnx")
    )
    for layout in ("packed", "padded"):
        graph = export_onnx(first, layout).SerializeToString()
        assert [export_onnx(other, layout).SerializeToString() for other in others] == [graph] * 2


@pytest.mark.parametrize("head", ["sequence", "token", "span", "vector"])
def test_an_export_is_recognised_by_its_outputs_where_nothing_is_wanted(
    tmp_path: Path, head: str
) -> None:
    onnx.save(export(MaskFromIds(transformers_model("bert", head=head))), tmp_path / "model.onnx")
    assert HEAD_NAMES[type(model_in(read_source(tmp_path)).head)] == head


def test_an_export_of_another_task_is_refused_with_its_own(tmp_path: Path) -> None:
    onnx.save(export(MaskFromIds(transformers_model("bert", head="span"))), tmp_path / "model.onnx")
    with pytest.raises(OtherTaskError, match=r"build it with --task qa$"):
        read_source(tmp_path, WantedHead(head="sequence"))


@pytest.mark.parametrize("pooling", ["cls", "mean", "pooler"])
def test_an_export_of_hidden_states_is_pooled_as_wanted(tmp_path: Path, pooling: str) -> None:
    source = transformers_model("bert", head="vector")
    onnx.save(export(MaskFromIds(source)), tmp_path / "model.onnx")
    head = model_in(read_source(tmp_path, WantedHead(head="vector", pooling=pooling))).head
    assert isinstance(head, VectorHead)
    assert head.pooling == pooling
