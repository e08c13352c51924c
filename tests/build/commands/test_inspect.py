"""`inspect` says what decides a build, worked out by hand for small models."""

from pathlib import Path

import pytest

from ernie_triton.build.commands.inspect import describe
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import Source, WantedHead
from tests.build.load.exports import PrunedClassifier, randomised, transformers_model
from tests.build.models import pruned_model, save_transformers


def lines_of(source: Source) -> dict[str, str]:
    return {line[:14].strip(): line[14:] for line in describe(source).splitlines()}


def test_a_checkpoint_is_described_by_its_facts(tmp_path: Path) -> None:
    model = transformers_model("ernie", num_labels=2, id2label={0: "坏", 1: "好"})
    source = read_source(save_transformers(model, tmp_path))
    parameters = sum(p.numel() for p in model.parameters())
    task_table = 3 * 24  # its row is part of the token type table
    assert lines_of(source) == {
        "source": f"transformers checkpoint (model.safetensors), {tmp_path}",
        "task": "seq_cls or multi_label or regression or rerank",
        "parameters": f"{parameters - task_table:,}",
        "hidden": "24",
        "layers": "2",
        "heads": "3 x 8, 3 x 8 (by layer)",
        "feed-forward": "40, 40 (by layer), gelu",
        "tokens": "60 in the vocabulary, pad 0",
        "positions": "32",
        "types": "4",
        "norm": "epsilon 1e-12",
        "head": "tanh pooler, then 2 scores of each text",
        "labels": "坏, 好",
        "vocab": str(tmp_path / "vocab.txt"),
        "case": "folded (uncased)",
    }


def test_a_pruned_model_is_described_layer_by_layer() -> None:
    model = pruned_model(randomised(PrunedClassifier(shapes=((3, 40), (1, 16)))))
    source = Source(kind="ONNX graph", path=Path("m.onnx"), model=model, lower_case=False)
    lines = lines_of(source)
    assert lines["heads"] == "3 x 8, 1 x 8 (by layer)"
    assert lines["feed-forward"] == "40, 16 (by layer), gelu"
    assert lines["head"] == "5 scores of each text"
    assert lines["labels"] == "not named; use --labels"
    assert lines["vocab"] == "not here; use --vocab"
    assert lines["case"] == "kept (cased)"


def test_a_graph_that_is_not_recognised_is_said_so() -> None:
    source = Source(kind="ONNX graph", path=Path("m.onnx"), model=None, unrecognised="a Conv node")
    lines = lines_of(source)
    assert lines["model"] == "not recognised (a Conv node); would be served as it came"
    assert "layers" not in lines


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_no_line_runs_into_its_name(tmp_path: Path, kind: str) -> None:
    source = read_source(save_transformers(transformers_model(kind), tmp_path))
    assert all(line[13] == " " and line[14] != " " for line in describe(source).splitlines())


@pytest.mark.parametrize(
    ("head", "task", "said"),
    [
        (
            "sequence",
            "seq_cls or multi_label or regression or rerank",
            "tanh pooler, then 5 scores",
        ),
        ("token", "token_cls", "5 scores of each token"),
        ("span", "qa", "2 scores of each token"),
        ("vector", "embedding", "vectors; cls pooling; tanh pooler"),
    ],
)
def test_every_head_is_described_with_the_tasks_that_it_serves(
    tmp_path: Path, head: str, task: str, said: str
) -> None:
    folder = save_transformers(transformers_model("ernie", head=head), tmp_path)
    lines = lines_of(read_source(folder))
    assert lines["task"] == task
    assert lines["head"].startswith(said)


def test_an_encoder_without_pooler_is_described_so(tmp_path: Path) -> None:
    folder = save_transformers(transformers_model("ernie", head="token"), tmp_path)
    lines = lines_of(read_source(folder, WantedHead(head="vector")))
    assert (lines["task"], lines["head"]) == ("embedding", "vectors; cls pooling; no pooler")
