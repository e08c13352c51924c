"""A manifest with values that a reader can tell apart."""

from ernie_triton.build.check.exactness import Exactness
from ernie_triton.build.check.speed import Speed
from ernie_triton.build.publish.manifest import (
    EngineFacts,
    Manifest,
    SourceFacts,
    TrainedModelFacts,
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
    model=TrainedModelFacts(
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
        fp32_size_bytes=3 * 1024 * 1024,
        files={"model.xml": "00"},
        instructions=("avx2", "avx512_vnni"),
    ),
    exactness=Exactness(
        reference="NumPy in float64",
        texts=33,
        largest_difference=1.23e-3,
        tolerance=2e-2,
        same_decisions=32,
    ),
    files={"ernie_seqcls/config.pbtxt": "00"},
    build="0123456789ab",
    speed=Speed(texts_per_s=2480.4, batch=32, mean_tokens=24.6, threads=2, processor="A processor"),
)
