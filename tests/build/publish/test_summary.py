"""The summary tells people what was built, a fact a line."""

import dataclasses

import pytest

from ernie_triton.build.check.precision_check import Quality
from ernie_triton.build.convert.quantization import QuantizationFacts
from ernie_triton.build.publish.manifest import Manifest
from ernie_triton.build.publish.summary import summary
from tests.build.publish.manifests import MADE

QUALITY = Quality(
    data="dev.json",
    examples=600,
    metric="accuracy",
    before=95.174,
    after=94.8,
    allowed_loss=0.5,
    texts=33,
    decisions=33,
    same_decisions=32,
    allowed_changes=None,
)
INT8 = QuantizationFacts(
    calibrator="percentile",
    calibration="texts.txt",
    calibration_texts=500,
    layers=11,
    kept={"layer_1/output": 0.1234},
    rest="fp32",
    weight_steps=64,
)


def lines_of(made: Manifest) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in summary(made).splitlines())


def test_the_summary_is_a_fact_a_line() -> None:
    assert summary(MADE).splitlines() == [
        "pipeline  ernie_seqcls version 3 (seq_cls, 2 labels, up to 128 tokens, batches up to 64)",
        "form      ensemble of three stages",
        "build     0123456789ab, 1 files",
        "source    PaddleNLP checkpoint, models/tnews",
        "model     2 layers x 312, 10 to 12 heads, feed-forward 1248, 18,000,000 parameters",
        "graph     120 nodes, opset 20, packed",
        "engine    openvino 2026.1, bf16, 1.5 MiB, 50 % of FP32",
        "exactness largest difference 1.2e-03 (allowed 2e-02), 32 of 33 decisions the same, "
        "against NumPy in float64",
        "proved    on a processor with avx2, avx512_vnni, which has no BF16 instructions and is "
        "faster with --precision fp32; a server on another processor repeats it",
        "speed     2,480 texts/s of the engine alone, batch 32, mean 25 tokens, 2 threads of A "
        "processor",
    ]


@pytest.mark.parametrize(
    ("precision", "instructions", "told"),
    [
        ("int8", ("avx2",), "on a processor with avx2; a server on another processor repeats it"),
        ("bf16", ("amx_bf16",), "on a processor with amx_bf16; a server on another processor rep"),
        ("fp32", ("avx2",), ""),
        ("int8", (), ""),
    ],
)
def test_int8_and_bf16_name_the_processor_of_their_proof(
    precision: str, instructions: tuple[str, ...], told: str
) -> None:
    engine = dataclasses.replace(MADE.engine, precision=precision, instructions=instructions)
    lines = lines_of(dataclasses.replace(MADE, engine=engine))
    assert lines.get("proved", "").startswith(told)
    assert ("proved" in lines) == bool(told)


def test_pairs_and_graphs_served_as_they_came_are_said_so() -> None:
    source = dataclasses.replace(MADE.source, unrecognised="a Mul node")
    model = dataclasses.replace(MADE.model, layers=0, heads=(), feed_forward=())
    lines = lines_of(dataclasses.replace(MADE, pair=True, source=source, model=model))
    assert "(seq_cls, pairs, 2 labels" in lines["pipeline"]
    assert lines["model"] == "served as it came, padded: a Mul node"


def test_what_int8_costs_and_gains_is_said() -> None:
    exactness = dataclasses.replace(MADE.exactness, tolerance=None)
    assert MADE.speed is not None
    speed = dataclasses.replace(MADE.speed, ratio_to_fp32=2.345)
    made = dataclasses.replace(
        MADE, exactness=exactness, speed=speed, quality=QUALITY, quantization=INT8
    )
    lines = lines_of(made)
    assert lines["int8"] == "11 of 12 layers, percentile on 500 texts (texts.txt)"
    assert lines["kept"] == "layer_1/output (12.3 %) in fp32"
    assert lines["weights"] == "int8 from -64 to 64, whose products are exact on every CPU"
    assert lines["quality"] == (
        "accuracy 94.80 instead of 95.17 on 600 examples (at most 0.5 lost), against FP32"
    )
    assert "(no limit)" in lines["exactness"]
    assert lines["speed"].startswith("2,480 texts/s (2.35x FP32) of the engine alone")


def test_without_labels_the_decisions_are_told() -> None:
    quality = dataclasses.replace(
        QUALITY, metric="", before=None, after=None, allowed_loss=None, allowed_changes=0.01
    )
    none_kept = dataclasses.replace(INT8, kept={}, calibration="", weight_steps=127)
    lines = lines_of(dataclasses.replace(MADE, quality=quality, quantization=none_kept))
    expected = "32 of 33 decisions the same on 33 texts (at most 1 % may change), against FP32"
    assert lines["quality"] == expected
    assert lines["int8"] == "11 of 11 layers, percentile on 500 texts (our sample texts)"
    assert lines["kept"] == "none; the rest is in fp32"
    assert "weights" not in lines


def test_a_graph_without_its_plan_names_the_command() -> None:
    engine = dataclasses.replace(MADE.engine, engine="tensorrt", engine_version="")
    lines = lines_of(dataclasses.replace(MADE, engine=engine, speed=None))
    assert lines["engine"].startswith("tensorrt, bf16, 1.5 MiB")
    assert "run ernie-triton engine" in lines["engine"]
    assert lines["speed"].startswith("not measured here")


def test_a_joined_pipeline_says_how_to_build_an_ensemble() -> None:
    form = lines_of(dataclasses.replace(MADE, joined=True))["form"]
    assert form.startswith("joined stages, one model in one process")
    assert form.endswith("or --no-joined")
