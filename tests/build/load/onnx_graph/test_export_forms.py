"""Graphs as users have them: with a softmax inside, several outputs, other names, fixed shapes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from ernie_triton.build.check.reference import batch_rows, model_outputs, reference_for
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import Source, WantedHead
from ernie_triton.build.model.heads import VectorHead
from ernie_triton.build.model.models import Model
from ernie_triton.errors import CheckpointError
from ernie_triton.tasks import TASKS
from tests.build.load.exports import MaskFromInput, export, transformers_model
from tests.build.models import random_rows, vocabulary_lines, write_vocabulary

Outputs = Tensor | tuple[Tensor, ...]
ROWS = random_rows((5, 9), types=2)


def saved(graph: onnx.ModelProto, path: Path, *names: str) -> Path:
    """Save a graph, its outputs renamed."""
    for output, name in zip(graph.graph.output, names, strict=bool(names)):
        graph.graph.node.append(onnx.helper.make_node("Identity", [output.name], [name]))
        output.name = name
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(graph, path)
    return path


def assert_gives(source: Source, task: str, output: str, expected: Callable[..., Any]) -> None:
    """Check the weights that were read, and the exported graph as reference, row by row."""
    assert isinstance(source.model, Model), source.unrecognised
    reference = reference_for(source, TASKS[task])
    for row in batch_rows(ROWS):
        wanted = expected(torch.from_numpy(row[0][None].astype(np.int64)), row[1])
        for found in (model_outputs(source.model, row), reference.outputs(row)):
            np.testing.assert_allclose(found[output], wanted, rtol=0, atol=2e-6)


def of_model(model: Any, pick: Callable[[Any], Tensor]) -> Callable[..., Any]:
    def expected(ids: Tensor, types: Any) -> Any:
        with torch.inference_mode():
            kinds = torch.from_numpy(types[None].astype(np.int64))
            return pick(model(ids, torch.ones_like(ids), kinds))[0].numpy()

    return expected


FUNCTIONS: dict[str, Callable[..., Outputs]] = {
    "Softmax": lambda outputs, _: outputs[0].softmax(-1),
    "LogSoftmax": lambda outputs, _: outputs[0].log_softmax(-1),
    "ArgMax": lambda outputs, _: outputs[0].argmax(-1),
    "Softmax and ArgMax": lambda outputs, _: (outputs[0].softmax(-1), outputs[0].argmax(-1)),
    "scores and Softmax": lambda outputs, _: (outputs[0], outputs[0].softmax(-1)),
}


@pytest.mark.parametrize("functions", FUNCTIONS)
def test_scores_are_read_before_the_function_inside(functions: str, tmp_path: Path) -> None:
    model = transformers_model("bert")
    graph = export(MaskFromInput(model, FUNCTIONS[functions]))
    source = read_source(saved(graph, tmp_path / "m.onnx"), WantedHead(head="sequence"))
    assert_gives(source, "seq_cls", "logits", of_model(model, lambda output: output.logits))
    told = " and ".join(sorted(part for part in functions.split(" and ") if part != "scores"))
    assert source.kind == f"ONNX graph, without its {told}"


def test_a_sigmoid_inside_tells_several_labels(tmp_path: Path) -> None:
    graph = export(MaskFromInput(transformers_model("bert"), lambda out, _: out[0].sigmoid()))
    source = read_source(saved(graph, tmp_path / "m.onnx"), WantedHead(head="sequence"))
    assert source.problem == "multi_label_classification"


def test_inputs_may_have_any_names_and_one_length(tmp_path: Path) -> None:
    model = transformers_model("bert")
    graph = export(MaskFromInput(model))
    names = dict(zip((i.name for i in graph.graph.input), ("tokens:0", "b", "c"), strict=True))
    for item in graph.graph.input:
        item.name = names[item.name]
        for dim, size in zip(item.type.tensor_type.shape.dim, (1, 12), strict=True):
            dim.dim_value = size
    for node in graph.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    source = read_source(saved(graph, tmp_path / "m.onnx"), WantedHead(head="sequence"))
    assert source.fixed_length == 12
    assert_gives(source, "seq_cls", "logits", of_model(model, lambda output: output.logits))


def pooled(states: Tensor, mask: Tensor, kind: str) -> Tensor:
    """Pool as sentence-transformers does in its own exports."""
    wide = mask[..., None].to(states.dtype)
    if kind == "max":
        return states.masked_fill(wide == 0, -1e9).max(1).values
    total, count = (states * wide).sum(1), wide.sum(1).clamp(min=1e-9)
    return total / (count.sqrt() if kind == "mean_sqrt_len" else count)


SENTENCE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cls": lambda states, _: states[:, 0],
    "mean": lambda states, mask: pooled(states, mask, "mean"),
    "max": lambda states, mask: pooled(states, mask, "max"),
    "mean_sqrt_len": lambda states, mask: pooled(states, mask, "mean_sqrt_len"),
    "cls+mean": lambda states, mask: torch.cat((states[:, 0], pooled(states, mask, "mean")), -1),
}


@pytest.mark.parametrize("pooling", SENTENCE)
@pytest.mark.parametrize("alone", [False, True])
def test_a_sentence_embedding_is_read_as_the_graph_makes_it(
    pooling: str, alone: bool, tmp_path: Path
) -> None:
    model, pool = transformers_model("bert", head="vector"), SENTENCE[pooling]
    torch.manual_seed(0)
    dense = torch.nn.Linear(24 * (1 + pooling.count("+")), 6).requires_grad_(False)

    def outputs(found: Any, mask: Tensor) -> Outputs:
        vector = torch.nn.functional.normalize(dense(pool(found[0], mask)).tanh(), dim=-1)
        return vector if alone else (found[0], vector)

    names = ("sentence_embedding",) if alone else ("token_embeddings", "sentence_embedding")
    path = saved(export(MaskFromInput(model, outputs)), tmp_path / "m.onnx", *names)
    source = read_source(path, WantedHead(head="vector"))
    assert source.pooled_in_graph

    def vector(output: Any) -> Tensor:
        states = output.last_hidden_state
        found = outputs((states,), torch.ones(states.shape[:2]))
        return found if isinstance(found, Tensor) else found[1]

    with torch.inference_mode():
        assert_gives(source, "embedding", "vector", of_model(model, vector))
    assert isinstance(source.model, Model)
    assert isinstance(source.model.head, VectorHead)
    assert source.model.head.pooling == pooling


def test_hidden_states_are_pooled_as_asked_and_a_vector_cannot_be(tmp_path: Path) -> None:
    model = transformers_model("bert", head="vector")
    names = ("last_hidden_state", "pooler_output")
    path = saved(export(MaskFromInput(model)), tmp_path / "m.onnx", *names)
    source = read_source(path, WantedHead(head="vector", pooling="max"))
    expected = of_model(model, lambda output: output.last_hidden_state.max(1).values)
    assert_gives(source, "embedding", "vector", expected)
    alone = export(MaskFromInput(model, lambda out, mask: pooled(out[0], mask, "mean")))
    with pytest.raises(CheckpointError, match="gives vectors of mean pooling, not of cls; leave"):
        read_source(saved(alone, tmp_path / "n.onnx"), WantedHead(head="vector", pooling="cls"))


def test_the_plain_graph_of_a_subfolder_is_taken(tmp_path: Path) -> None:
    model = transformers_model("bert")
    config = {**model.config.to_dict(), "architectures": ["BertForSequenceClassification"]}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    write_vocabulary(tmp_path / "vocab.txt", vocabulary_lines())
    plain = saved(export(MaskFromInput(model)), tmp_path / "onnx" / "model.onnx")
    for name in ("model_O3.onnx", "model_qint8_avx512.onnx"):
        (tmp_path / "onnx" / name).write_bytes(b"another")
    source = read_source(tmp_path, WantedHead(head="sequence"))
    assert (source.kind, source.vocabulary) == (
        "ONNX graph (model.onnx)",
        tmp_path / "vocab.txt",
    )
    assert read_source(plain, WantedHead(head="sequence")).vocabulary == tmp_path / "vocab.txt"
    plain.unlink()
    with pytest.raises(CheckpointError, match=r"2 ONNX files \(onnx/model_O3.onnx, onnx/model_q"):
        read_source(tmp_path, WantedHead(head="sequence"))


def test_weights_in_a_file_of_their_own_are_read_and_missed_by_name(tmp_path: Path) -> None:
    model = transformers_model("bert")
    path = tmp_path / "m.onnx"
    graph = export(MaskFromInput(model))
    onnx.save(graph, path, save_as_external_data=True, location="m.data", size_threshold=0)
    source = read_source(path, WantedHead(head="sequence"))
    assert_gives(source, "seq_cls", "logits", of_model(model, lambda output: output.logits))
    (tmp_path / "m.data").unlink()
    with pytest.raises(CheckpointError, match=r"keeps its weights in 'm.data', which is not besi"):
        read_source(path, WantedHead(head="sequence"))
