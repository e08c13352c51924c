"""The manifest says what was built: as JSON beside the ensemble, and as lines for people."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from build_scripts.manifest import (
    EngineFacts,
    Exactness,
    Manifest,
    ModelFacts,
    SourceFacts,
    Speed,
    file_hashes,
)

MADE = Manifest(
    name="ernie_seqcls",
    version=3,
    task="seq_cls",
    pair=False,
    max_length=128,
    max_batch_size=64,
    ernie_triton="0.1.0",
    built_at="2026-01-02T03:04:05+00:00",
    source=SourceFacts(
        kind="PaddleNLP checkpoint", path="models/tnews", files={"a": "00"}, unrecognised=""
    ),
    model=ModelFacts(
        layers=2,
        hidden=312,
        heads=(12, 10),
        feed_forward=(1248, 1248),
        parameters=18_000_000,
        vocabulary_size=40_000,
        labels=("财经", "体育"),
        max_positions=2048,
    ),
    engine=EngineFacts(
        engine="openvino",
        engine_version="2026.1",
        precision="bf16",
        layout="packed",
        graph_nodes=120,
        opset=20,
        size_bytes=3 * 1024 * 1024 // 2,
        files={"model.xml": "00"},
    ),
    exactness=Exactness(
        reference="NumPy in float64",
        texts=33,
        largest_difference=1.23e-3,
        tolerance=2e-2,
        same_decisions=32,
    ),
    speed=Speed(texts_per_s=2480.4, batch=32, mean_tokens=24.6, threads=2, processor="A processor"),
)


def test_json_holds_every_value() -> None:
    values = json.loads(MADE.to_json())
    assert values == json.loads(json.dumps(dataclasses.asdict(MADE)))
    assert values["model"]["heads"] == [12, 10]
    assert values["model"]["labels"] == ["财经", "体育"]
    assert "财经" in MADE.to_json()
    assert MADE.to_json().endswith("}\n")


def test_the_summary_is_a_fact_a_line() -> None:
    assert MADE.summary().splitlines() == [
        "pipeline  ernie_seqcls version 3 (seq_cls, 2 labels, up to 128 tokens, batches up to 64)",
        "source    PaddleNLP checkpoint, models/tnews",
        "model     2 layers x 312, 10 to 12 heads, feed-forward 1248, 18,000,000 parameters",
        "graph     120 nodes, opset 20, packed",
        "engine    openvino 2026.1, bf16, 1.5 MiB",
        "exactness largest difference 1.2e-03 (allowed 2e-02), 32 of 33 decisions the same, "
        "against NumPy in float64",
        "speed     2,480 texts/s of the engine alone, batch 32, mean 25 tokens, 2 threads of A "
        "processor",
    ]


def test_pairs_and_graphs_served_as_they_came_are_said_so() -> None:
    source = dataclasses.replace(MADE.source, unrecognised="a Mul node")
    model = dataclasses.replace(MADE.model, layers=0, heads=(), feed_forward=())
    lines = dataclasses.replace(MADE, pair=True, source=source, model=model).summary().splitlines()
    assert "(seq_cls, pairs, 2 labels" in lines[0]
    assert lines[2] == "model     served as it came, padded: a Mul node"


@pytest.mark.parametrize("size_bytes", [0, 5, 1024 * 1024, 1024 * 1024 + 1])
def test_hashes_are_sha256_by_file_name(tmp_path: Path, size_bytes: int) -> None:
    content = bytes(i % 251 for i in range(size_bytes))
    (tmp_path / "a").write_bytes(content)
    (tmp_path / "b").write_bytes(b"b")
    assert file_hashes([tmp_path / "a", tmp_path / "b"]) == {
        "a": hashlib.sha256(content).hexdigest(),
        "b": hashlib.sha256(b"b").hexdigest(),
    }
