"""An engine file answers as its graph, and a graph that was not recognised is served as it came."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
import pytest
import torch
from onnx import TensorProto, helper

from ernie_triton.build.convert.engine_file import adopt_graph, write_engine
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.random_models.torch_export import model_from_classifier
from ernie_triton.engines import Engine, load_engine
from ernie_triton.errors import EngineError, UnrecognisedGraphError
from ernie_triton.settings import EngineSettings
from ernie_triton.tasks import CPU_ENGINES, LAYOUTS
from tests.build.load.exports import (
    MaskFromInput,
    PrunedClassifier,
    export,
    randomised,
    transformers_model,
)
from tests.build.models import pruned_model, random_rows, single_rows, transformers_logits


def settings(engine: str, layout: str, pad_token_id: int) -> EngineSettings:
    return EngineSettings(
        task="seq_cls",
        pair=False,
        engine=engine,
        precision="fp32",
        layout=layout,
        threads=1,
        max_length=16,
        pad_token_id=pad_token_id,
        vocabulary_size=60,
        token_types=1,
    )


def written(graph: onnx.ModelProto, folder: Path, wanted: EngineSettings) -> Engine:
    write_engine(graph, wanted.engine, folder)
    return load_engine(folder, wanted)


def copy_of(graph: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    return copy


@pytest.mark.parametrize("layout", LAYOUTS)
def test_openvino_takes_keys_as_they_lie(ernie: Any, layout: str, tmp_path: Path) -> None:
    model = model_from_classifier(ernie)
    write_engine(export_onnx(model, layout), "openvino", tmp_path)
    graph = openvino.Core().read_model(tmp_path / "model.xml")
    turns = [node for node in graph.get_ops() if node.get_type_name() == "Transpose"]
    orders = {tuple(node.input_value(1).get_node().data.tolist()) for node in turns}
    assert orders == {(0, 2, 1, 3)}
    scores = [node for node in graph.get_ops() if node.get_friendly_name().endswith("/scores")]
    assert len(scores) == len(model.encoder.layers)
    assert all(node.get_attributes()["transpose_b"] for node in scores)


def torch_logits(module: Any, batch: Any) -> Any:
    with torch.inference_mode():
        return [
            module(torch.from_numpy(ids[None].astype(np.int64)))[0].numpy()
            for ids, _ in single_rows(batch)
        ]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("engine", CPU_ENGINES)
def test_both_runtimes_answer_as_the_model_in_both_layouts(
    tmp_path: Path, engine: str, layout: str
) -> None:
    source: Any = randomised(PrunedClassifier())
    loaded = written(
        export_onnx(pruned_model(source), layout), tmp_path, settings(engine, layout, 3)
    )
    batch = random_rows((6, 16, 2, 11))
    found = loaded.run(batch)["logits"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, torch_logits(source, batch), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("engine", "names"),
    [("openvino", ["model.xml", "model.bin"]), ("onnxruntime", ["model.onnx"])],
)
def test_the_files_written_are_all_there_is(tmp_path: Path, engine: str, names: list[str]) -> None:
    graph = export_onnx(pruned_model(randomised(PrunedClassifier())), "packed")
    assert [path.name for path in write_engine(graph, engine, tmp_path)] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_weights_keep_their_precision_on_disk(tmp_path: Path) -> None:
    model = pruned_model(randomised(PrunedClassifier()))
    write_engine(export_onnx(model, "packed"), "openvino", tmp_path)
    content = (tmp_path / "model.bin").read_bytes()
    assert model.encoder.word.tobytes() in content
    assert len(content) >= 4 * (model.parameters - 24)


def test_the_same_graph_gives_the_same_weights(tmp_path: Path) -> None:
    graph = export_onnx(pruned_model(randomised(PrunedClassifier())), "packed")
    for engine in CPU_ENGINES:
        for copy in ("a", "b"):
            (tmp_path / copy).mkdir(exist_ok=True)
            write_engine(graph, engine, tmp_path / copy)
    # OpenVINO 2026.4 numbers the names in model.xml anew.
    for name in ("model.onnx", "model.bin"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_graph_that_the_runtime_cannot_read_is_refused(tmp_path: Path) -> None:
    graph = export_onnx(pruned_model(randomised(PrunedClassifier())), "packed")
    graph.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(EngineError, match="OpenVINO cannot read the graph"):
        write_engine(graph, "openvino", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("engine", CPU_ENGINES)
def test_an_adopted_graph_is_served_padded_as_it_came(tmp_path: Path, engine: str) -> None:
    swish: Any = randomised(PrunedClassifier(lambda x: x * x.sigmoid()))
    graph = adopt_graph(export(swish), ("logits",))
    loaded = written(graph, tmp_path, settings(engine, "padded", 3))
    batch = random_rows((6, 16, 2, 11))
    found = loaded.run(batch)["logits"]
    np.testing.assert_allclose(found, torch_logits(swish, batch), rtol=0, atol=1e-5)


@pytest.mark.parametrize("engine", CPU_ENGINES)
def test_an_adopted_graph_may_take_the_mask(tmp_path: Path, engine: str) -> None:
    source = transformers_model("bert")
    graph = adopt_graph(export(MaskFromInput(source)), ("logits",))
    loaded = written(graph, tmp_path, settings(engine, "padded", 0))
    batch = random_rows((6, 16, 2, 11), types=2)
    found = loaded.run(batch)["logits"]
    np.testing.assert_allclose(found, transformers_logits(source, batch), rtol=0, atol=1e-5)


def test_adopting_renames_the_outputs_and_leaves_the_graph_given_alone() -> None:
    graph = export(randomised(PrunedClassifier()))
    before = graph.SerializeToString()
    name = graph.graph.output[0].name
    adopted = adopt_graph(graph, ("logits",))
    assert name != "logits"
    assert [output.name for output in adopted.graph.output] == ["logits"]
    assert adopted.graph.node[-1].input[0] == name
    assert graph.SerializeToString() == before
    onnx.checker.check_model(adopted, full_check=True)
    assert adopt_graph(adopted, ("logits",)) == adopted


@pytest.fixture(scope="module")
def exported() -> onnx.ModelProto:
    return export(randomised(PrunedClassifier()))


@pytest.mark.parametrize(
    ("name", "kind"), [("pixels", TensorProto.INT64), ("token_type_ids", TensorProto.FLOAT)]
)
def test_odd_inputs_are_refused(exported: onnx.ModelProto, name: str, kind: int) -> None:
    graph = copy_of(exported)
    graph.graph.input.append(helper.make_tensor_value_info(name, kind, [1, 2]))
    with pytest.raises(UnrecognisedGraphError, match=rf"inputs \['input_ids', '{name}'\]"):
        adopt_graph(graph, ("logits",))


def test_another_number_of_outputs_is_refused(exported: onnx.ModelProto) -> None:
    graph = copy_of(exported)
    with pytest.raises(UnrecognisedGraphError, match=r"1 outputs; .* 2 output\(s\)"):
        adopt_graph(graph, ("start", "end"))


def test_initializers_listed_as_inputs_are_no_inputs(exported: onnx.ModelProto) -> None:
    # ONNX before IR version 4 listed every weight as an input too.
    graph = copy_of(exported)
    for item in graph.graph.initializer:
        graph.graph.input.append(
            helper.make_tensor_value_info(item.name, item.data_type, list(item.dims))
        )
    assert adopt_graph(graph, ("logits",)).graph.output[0].name == "logits"
