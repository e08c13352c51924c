"""Peaks are of the precision that was asked for, and results are fractions of them."""

import json
from pathlib import Path

import pytest

import ernie_triton.perf.limits.fractions
import ernie_triton.perf.limits.matrix_products
import ernie_triton.perf.machine
from ernie_triton.errors import DatasetError, EngineError
from ernie_triton.model_shapes import FAMILY, Shape
from ernie_triton.perf.limits.fractions import (
    Peak,
    PeakOptions,
    fractions_of,
    measure_peaks,
    mixed_peak,
)
from ernie_triton.perf.limits.matrix_products import Chain, Part, layer_parts
from tests.commands import command
from tests.perf.made_up import measurement, run_of

main = command("perf")

TINY = Shape(layers=1, hidden=64, heads=2, feed_forward=256)
GIGA = 1e9


def peak(part: str, flops_per_s: float, shape: str = "nano") -> Peak:
    return Peak(
        shape=shape,
        precision="fp32",
        part=part,
        inner=1,
        outer=1,
        flops_per_s=flops_per_s,
        lowest=flops_per_s,
    )


def test_every_part_has_a_plausible_peak_in_every_round() -> None:
    options = PeakOptions(tokens=64, threads=1, rounds=2, runs=2)
    peaks = measure_peaks({"tiny": TINY}, ["fp32"], options, lambda _: None)
    assert [(one.part, one.inner, one.outer) for one in peaks] == [
        ("attention", 64, 64),
        ("feed-forward", 64, 256),
    ]
    for one in peaks:
        # No processor of today multiplies slower on a core, or faster.
        assert 1e7 < one.lowest <= one.flops_per_s < 1e13


def test_int8_products_run_as_int8(monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part(name="attention", inner=64, outer=64)
    assert Chain(part, "int8", tokens=32, threads=1).flops_per_s() > 0
    # Without the quantisation that makes them INT8, the same products are found to be FP32.
    monkeypatch.setattr(
        ernie_triton.perf.limits.matrix_products, "_quantised", lambda node, _: node
    )
    with pytest.raises(EngineError, match="a product in int8 runs in fp32"):
        Chain(part, "int8", tokens=32, threads=1)


def test_a_layers_parts_have_all_its_products() -> None:
    shape = FAMILY["nano"]
    per_token = sum(part.flops_per_token for part in layer_parts(shape))
    assert per_token == 2 * (4 * 312 * 312 + 2 * 312 * 1248)


def test_the_mixed_peak_is_all_operations_over_all_time() -> None:
    # The feed-forward has twice the operations: 1/3 of them at 1, 2/3 at 4 take 1/3 + 1/6.
    peaks = [peak("attention", 1.0), peak("feed-forward", 4.0)]
    assert mixed_peak(peaks, FAMILY["nano"], "nano", "fp32") == pytest.approx(2.0)
    assert mixed_peak(peaks, FAMILY["nano"], "nano", "int8") is None


def test_a_result_is_its_arithmetic_over_the_peak() -> None:
    run = run_of(measurement("a", qps=100.0, batch_size=4, shape="nano", precision="fp32"))
    peaks = [peak("attention", 50 * GIGA), peak("feed-forward", 50 * GIGA)]
    (found,) = fractions_of(run, peaks, [24, 24], labels=15)
    assert found.texts_per_s == 400.0
    # About 2 operations for each weight of a layer, 3 layers and the last one's keys and values.
    weights = 12 * 312 * 312
    assert found.text_flops == pytest.approx(2 * 24 * (3 * weights + weights / 6), rel=0.08)
    assert found.fraction == pytest.approx(400.0 * found.text_flops / (50 * GIGA))


def test_a_run_without_a_known_shape_is_refused_with_what_it_has() -> None:
    run = run_of(measurement("a", shape="own", precision="fp32"))
    with pytest.raises(DatasetError, match="found own fp32"):
        fractions_of(run, [peak("attention", 1.0)], [24], labels=15)


def test_one_command_prints_peaks_and_fractions_and_writes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result, output = tmp_path / "run.json", tmp_path / "limit.json"
    run = run_of(measurement("nano fp32", shape="nano", precision="fp32"))
    result.write_text(run.to_json(), encoding="utf-8")
    options = ["--shape", "nano", "--precision", "fp32", "--tokens", "32", "--rounds", "1"]
    files = ["--result", str(result), "--output", str(output)]
    assert main(["limit", *options, *files]) == 0
    printed = capsys.readouterr().out
    assert "| nano | fp32 | feed-forward, 312 x 1248 and back |" in printed
    assert "| nano fp32 | concurrency 32 | 100.0 |" in printed
    content = json.loads(output.read_text(encoding="utf-8"))
    assert len(content["peaks"]) == 2
    assert content["fractions"][0]["fraction"] > 0


@pytest.mark.parametrize("has_bf16", [True, False])
def test_a_precision_that_the_processor_lacks_is_left_out_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], has_bf16: bool
) -> None:
    asked: list[tuple[str, ...]] = []

    def peaks(_: object, precisions: tuple[str, ...], *__: object) -> list[Peak]:
        asked.append(precisions)
        return [peak("attention", GIGA)]

    able = {"fp32", "int8", "bf16"} if has_bf16 else {"fp32", "int8"}
    monkeypatch.setattr(ernie_triton.perf.machine, "cpu_precisions", lambda: able)
    monkeypatch.setattr(ernie_triton.perf.limits.fractions, "measure_peaks", peaks)
    assert main(["limit", "--shape", "nano"]) == 0
    assert asked == [("fp32", "bf16", "int8") if has_bf16 else ("fp32", "int8")]
    line = "bf16 is left out: this processor has no BF16\n"
    assert capsys.readouterr().err == ("" if has_bf16 else line)
