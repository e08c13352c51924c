"""INT8 after training: the loss that rounding brings, layer by layer and in total."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.precision_check import PrecisionCheck
from ernie_triton.build.convert.conversion import (
    calibration_texts,
    engine_of_graph,
    fp32_check,
    int8_graphs,
)
from ernie_triton.build.convert.quantization import Int8Graphs, Quantized, damage_by_layer, quantize
from ernie_triton.build.flow import read_inputs
from ernie_triton.build.inputs import BuildInputs
from ernie_triton.build.progress import StepReporter
from ernie_triton.errors import ExactnessError
from ernie_triton.pipeline import PipelineSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFigures:
    """Figures of one engine of a checkpoint in INT8.

    Attributes:
        engine: the runtime.
        metric: metric of the task, on its development data.
        examples: number of examples.
        fp32: points of the checkpoint's own FP32 engine, 0 to 100.
        rounded: points with every layer in INT8.
        int8: points with `kept` in floating point; None if no choice of layers loses little enough.
        layers: number of linear layers and tables in INT8.
        kept: damage of the layers that stay in floating point, by name.
        damage: damage of each layer when it alone is INT8: noise over deviation of the outputs.
        scales: input scales of linear layers, by name.
    """

    engine: str
    metric: str
    examples: int
    fp32: float
    rounded: float
    int8: float | None
    layers: int
    kept: Mapping[str, float]
    damage: Mapping[str, float]
    scales: Mapping[str, float]

    @property
    def rounding_loss(self) -> float:
        """Points lost against FP32 with every layer in INT8."""
        return self.fp32 - self.rounded

    def lost_from(self, original: "EngineFigures") -> float:
        """Points lost in INT8 against another checkpoint's FP32; infinite if nothing fits."""
        return math.inf if self.int8 is None else original.fp32 - self.int8

    def sentence(self) -> str:
        """Format the figures as a sentence."""
        kept = f"{len(self.kept)} of {self.layers + len(self.kept)} layers kept"
        end = "no choice of layers fits" if self.int8 is None else f"{self.int8:.2f} with {kept}"
        return (
            f"{self.engine}: {self.metric} {self.fp32:.2f} in FP32, {self.rounded:.2f} with every "
            f"layer in INT8, {end}"
        )


def post_training(spec: PipelineSpec, step: StepReporter) -> EngineFigures:
    """Calibrate and round a checkpoint; leave out the worst layers until the loss fits.

    Args:
        spec: an INT8 pipeline with labelled data; nothing is built.
        step: reports each step.

    Raises:
        CheckpointError: the model cannot be INT8.
        ExactnessError: the FP32 graph does not agree with the checkpoint.
    """
    parts = read_inputs(spec, step)
    judge = fp32_check(parts, step)
    texts = calibration_texts(parts)
    graphs = int8_graphs(parts, texts, step)
    with step("quantize") as notes:
        figures = _figures(parts, judge, graphs, texts)
        notes.append(figures.sentence())
    return figures


def _figures(
    parts: BuildInputs, judge: PrecisionCheck, graphs: Int8Graphs, texts: TokenBatch
) -> EngineFigures:
    load = partial(engine_of_graph, parts)
    damage = damage_by_layer(graphs, judge.fp32, load, texts)
    made: Quantized | None = None
    try:
        made = quantize(graphs, judge, load, texts, damage)
        rounded = made.rounded
    except ExactnessError:
        rounded = judge.quality(load(graphs.graph(()), "int8"))
    return EngineFigures(
        engine=parts.spec.engine,
        metric=rounded.metric,
        examples=rounded.examples,
        fp32=_points(rounded.before),
        rounded=_points(rounded.after),
        int8=None if made is None else _points(made.quality.after),
        layers=0 if made is None else made.layers,
        kept={} if made is None else made.kept,
        damage={name: damage[name] for name in sorted(damage, key=lambda one: -damage[one])},
        scales=graphs.scales,
    )


def _points(value: float | None) -> float:
    if value is None:
        raise ValueError("the pipeline names no labelled data")
    return value
