"""INT8 with as few layers left out as the limits allow, found by measured damage.

Everything quantisable is rounded first. Where that loses too much, each layer is rounded alone and
the noise that it brings to the outputs is measured; the noisiest stay as they were, more and more
of them, until the loss is within its limit.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.exactness import output_rows
from ernie_triton.build.check.precision_check import PrecisionCheck, Quality
from ernie_triton.build.graph import cpu_int8
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.graph.numerics import EXACT_INT8_STEPS, INT8_STEPS, Numerics
from ernie_triton.build.model.models import Model
from ernie_triton.build.progress import progress_bar
from ernie_triton.engines import Engine
from ernie_triton.errors import ExactnessError
from ernie_triton.pipeline import PipelineSpec

LoadGraph = Callable[[onnx.ModelProto, str], Engine]
"""Makes an engine of a graph, in the runtime that it is for and the precision named."""
_DAMAGE_TEXTS = 64
_FORMS: Mapping[str, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
    "openvino": cpu_int8.for_openvino,
    "onnxruntime": cpu_int8.for_onnx_runtime,
}
"""The form of the graph that each CPU runtime is fastest with, by engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Graphs:
    """Writes a model's graph with any choice of layers in INT8, for one runtime.

    Attributes:
        model: the weights.
        spec: the pipeline: layout, engine and device.
        scales: the input scale of each quantisable linear layer, by name.
    """

    model: Model
    spec: PipelineSpec
    scales: Mapping[str, float]

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that can be INT8: linear layers, and on CPU the word embeddings."""
        table = (cpu_int8.WORD_TABLE,) if self.spec.device == "cpu" else ()
        return (*table, *self.scales)

    @property
    def weight_steps(self) -> int:
        """The steps of the weights: on CPU those that are exact on every processor."""
        return EXACT_INT8_STEPS if self.spec.device == "cpu" else INT8_STEPS

    def graph(self, kept: Sequence[str]) -> onnx.ModelProto:
        """The graph with every layer in INT8 but these.

        What is not quantised is FP32, and FP16 for GPUs.
        """
        scales = {name: scale for name, scale in self.scales.items() if name not in kept}
        compute = "fp16" if self.spec.device == "gpu" else "fp32"
        numerics = Numerics(compute=compute, input_scales=scales, weight_steps=self.weight_steps)
        graph = export_onnx(self.model, self.spec.layout, numerics)
        if cpu_int8.WORD_TABLE in self.layers and cpu_int8.WORD_TABLE not in kept:
            graph = cpu_int8.with_int8_table(graph)
        if self.spec.device == "cpu" and self.spec.engine in _FORMS:
            graph = _FORMS[self.spec.engine](graph)
        return graph

    def graph_of_one(self, layer: str) -> onnx.ModelProto:
        """The graph with this layer alone in INT8."""
        return self.graph([name for name in self.layers if name != layer])


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """An INT8 graph that fits its limits.

    Attributes:
        graph: for its runtime.
        quality: what it loses.
        kept: the damage of each layer that is not INT8, by name; see `damage_of`.
        layers: how many are INT8.
        rounded: what is lost with every layer in INT8.
    """

    graph: onnx.ModelProto
    quality: Quality
    kept: Mapping[str, float]
    layers: int
    rounded: Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationFacts:
    """The settings and results of a quantisation, for the manifest.

    Attributes:
        calibrator: how ranges of activations were chosen.
        calibration: the file of calibration texts; empty for the sample texts.
        calibration_texts: how many.
        layers: linear layers and tables in INT8.
        kept: the others, with the noise that each alone would bring to the outputs, as a share of
            their deviation.
        rest: what is computed in where not in INT8.
        weight_steps: steps of the weights to either side of 0; see `EXACT_INT8_STEPS`.
    """

    calibrator: str
    calibration: str
    calibration_texts: int
    layers: int
    kept: Mapping[str, float]
    rest: str
    weight_steps: int


def quantize(
    graphs: Int8Graphs,
    check: PrecisionCheck,
    load: LoadGraph,
    texts: TokenBatch,
    damage: Mapping[str, float] | None = None,
) -> Quantized:
    """Round every layer, then leave out the worst until the loss is within its limit.

    Args:
        graphs: writes the candidates.
        check: compares with FP32 and has the limits.
        load: makes engines of them.
        texts: on which the damage of single layers is measured.
        damage: of each layer, where that is known; otherwise it is measured when it is needed.

    Raises:
        ExactnessError: it does not fit even with one layer in INT8.
    """
    kept: list[str] = []
    rounded: Quality | None = None
    best: Quality | None = None
    damage = damage or {}
    while len(kept) < len(graphs.layers):
        graph = graphs.graph(kept)
        quality = check.quality(load(graph, "int8"))
        rounded = rounded or quality
        if quality.fits:
            return Quantized(
                graph=graph,
                quality=quality,
                kept={name: damage[name] for name in kept},
                layers=len(graphs.layers) - len(kept),
                rounded=rounded,
            )
        best = quality if best is None or _loss(quality) < _loss(best) else best
        if not damage:
            damage = damage_by_layer(graphs, check.fp32, load, texts)
        # One more at first; later several, or a large model would take a run for each layer.
        count = math.ceil(1.25 * len(kept) + 1e-9) if len(kept) > 3 else len(kept) + 1
        kept = sorted(damage, key=lambda name: -damage[name])[:count]
    raise _refusal(best, len(graphs.layers))


def damage_by_layer(
    graphs: Int8Graphs, before: Engine, load: LoadGraph, texts: TokenBatch
) -> dict[str, float]:
    """The damage of each layer when it alone is INT8, by name."""
    some = texts.select(np.arange(min(_DAMAGE_TEXTS, texts.rows)))
    expected = _joined(before, some)
    damage = {}
    # What is not INT8 is left exact here, or its own rounding would hide that of a layer.
    for layer in progress_bar(graphs.layers, "damage by layer"):
        found = _joined(load(graphs.graph_of_one(layer), "fp32"), some)
        damage[layer] = damage_of(found, expected)
    return damage


def damage_of(found: np.ndarray, expected: np.ndarray) -> float:  # type: ignore[type-arg]
    """Noise to signal: the root mean square of the difference over the deviation of `expected`."""
    deviation = float(expected.std())
    noise = float(np.sqrt(np.mean((found - expected) ** 2)))
    return noise / deviation if deviation else noise


def _joined(engine: Engine, texts: TokenBatch) -> np.ndarray:  # type: ignore[type-arg]
    rows = output_rows(engine, texts, texts.rows)
    return np.concatenate([values.ravel() for row in rows for values in row.values()])


def _loss(quality: Quality) -> float:
    return quality.lost if quality.metric else quality.changed_share


def _refusal(best: Quality | None, layers: int) -> ExactnessError:
    if best is None:
        return ExactnessError("the model has no layer that can be INT8; use another --precision")
    way = (
        f"--allowed-loss {best.lost + 0.005:.2f}"
        if best.metric
        else f"--allowed-changes {best.changed_share + 0.0005:.3f}"
    )
    return ExactnessError(
        f"int8 loses too much, whichever of the {layers} layers stay in floating point: at best "
        f"{best.sentence()}; build with another --precision, calibrate on texts like those to be "
        f"served (--calibration), or accept it with {way}"
    )
