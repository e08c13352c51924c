"""From the FP32 graph to the graph of the precision asked for, with what that costs.

FP32 and BF16 engines are made of the FP32 graph as it is. FP16 and INT8 have graphs of their own;
each is held against the FP32 graph in the same runtime, after that was held against the source.
"""

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.exactness import TOLERANCES, compare, parts_of, read_sample_texts
from ernie_triton.build.check.local_answers import PipelineParts
from ernie_triton.build.check.precision_check import Judge
from ernie_triton.build.check.quality import FP16_ALLOWED_LOSS, Limits, Quality
from ernie_triton.build.convert.calibration import input_scales, observed
from ernie_triton.build.convert.engine_file import write_engine
from ernie_triton.build.convert.fp16_range import check_fp16_range
from ernie_triton.build.convert.quantization import Int8Graphs, quantize
from ernie_triton.build.graph.export import export_onnx, quantizable_linears
from ernie_triton.build.graph.numerics import Numerics
from ernie_triton.build.model.models import Model
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.build.parts import BuildParts, Step
from ernie_triton.build.progress import progress_bar
from ernie_triton.build.publish.manifest import QuantizationFacts
from ernie_triton.engines import Engine, load_engine
from ernie_triton.errors import CheckpointError, ExactnessError, PrecisionError

_CALIBRATION_ROWS = 8
"""Texts of one calibration run: their tensors are all in memory at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """The graph that the engine is made of.

    Attributes:
        graph: in the precision asked for.
        fp32: the FP32 engine in the same runtime, where one was needed.
        judge: compares with it.
        quality: what the conversion costs, where that is known already.
        quantization: how it was quantised, if it was.
    """

    graph: onnx.ModelProto
    fp32: Engine | None = None
    judge: Judge | None = None
    quality: Quality | None = None
    quantization: QuantizationFacts | None = None


def convert(parts: BuildParts, step: Step) -> Converted:
    """The graph to serve, and what it was compared with.

    Raises:
        CheckpointError: the precision needs a graph of our own, and the model has none.
        ExactnessError: the conversion costs more than allowed.
    """
    spec = parts.spec
    if spec.precision in ("fp32", "bf16") and spec.quantization.data is None:
        return Converted(graph=parts.graph)
    judge = fp32_judge(parts, step)
    if spec.precision == "int8":
        return _int8(parts, judge, step)
    if spec.precision == "fp16":
        return _fp16(parts, judge, step)
    return Converted(graph=parts.graph, fp32=judge.before, judge=judge)


def check_quality(converted: Converted, engine: Engine, step: Step) -> Quality | None:
    """What the finished engine loses against FP32, where that is to be measured.

    Raises:
        ExactnessError: more than allowed.
    """
    if converted.judge is None:
        return None
    with step("evaluate") as notes:
        quality = converted.judge.quality(engine)
        notes.append(quality.sentence())
    if not quality.fits:
        raise ExactnessError(
            f"{engine.settings.precision} loses too much: {quality.sentence()}; build with "
            f"--precision fp32"
        )
    return quality


def fp32_judge(parts: BuildParts, step: Step) -> Judge:
    """Compares engines with the FP32 graph in their runtime, once that agrees with the source.

    Raises:
        ExactnessError: it does not.
    """
    return _judge(parts, _fp32_engine(parts, step))


def _fp32_engine(parts: BuildParts, step: Step) -> Engine:
    with step("source") as notes:
        engine = engine_of_graph(parts, parts.graph, "fp32")
        tolerance = max(TOLERANCES["fp32"], parts.spec.tolerance)
        most = parts.spec.batching.max_batch_size
        exactness = compare(
            engine, parts.expected.reference, parts.batch, most, tolerance=tolerance
        )
        notes.append(f"the FP32 graph differs by {exactness.largest_difference:.1e} at most")
    return engine


def _judge(parts: BuildParts, fp32: Engine) -> Judge:
    spec = parts.spec
    limits = {
        "int8": Limits(
            loss=spec.quantization.allowed_loss, changes=spec.quantization.allowed_changes
        ),
        "fp16": Limits(loss=FP16_ALLOWED_LOSS, changes=None),
    }
    return Judge(
        parts=PipelineParts(spec, parts.sizes(), parts.encoder),
        before=fp32,
        batch=_decision_texts(parts),
        data=spec.quantization.data,
        limits=limits.get(spec.precision, Limits(loss=None, changes=None)),
    )


def _fp16(parts: BuildParts, judge: Judge, step: Step) -> Converted:
    with step("fp16") as notes:
        model = _own_model(parts)
        graph = export_onnx(model, parts.spec.layout, Numerics(compute="fp16"))
        notes.append(_fp16_note(model, calibration_texts(parts)))
    return Converted(graph=graph, fp32=judge.before, judge=judge)


def int8_graphs(parts: BuildParts, texts: TokenBatch, step: Step) -> Int8Graphs:
    """The pipeline's graphs in INT8, calibrated on these texts.

    Raises:
        CheckpointError: the model was not recognised.
        PrecisionError: what stays in FP16 does not fit it.
    """
    spec, model = parts.spec, _own_model(parts)
    with step("calibrate") as notes:
        scales = calibrated_scales(model, texts, spec.quantization.calibrator)
        notes.append(f"{spec.quantization.calibrator} on {texts.rows} texts")
        if spec.device == "gpu":
            notes.append(_fp16_note(model, texts))
    return Int8Graphs(model=model, spec=spec, scales=scales)


def _int8(parts: BuildParts, judge: Judge, step: Step) -> Converted:
    spec = parts.spec
    texts = calibration_texts(parts)
    graphs = int8_graphs(parts, texts, step)
    with step("quantize") as notes:
        made = quantize(graphs, judge, partial(engine_of_graph, parts), texts)
        kept = f"{len(made.kept)} layers kept" if made.kept else "none kept"
        notes.append(f"{made.layers} layers in int8, {kept}; {made.quality.sentence()}")
    facts = QuantizationFacts(
        calibrator=spec.quantization.calibrator,
        calibration=str(spec.quantization.calibration or spec.texts or ""),
        calibration_texts=texts.rows,
        layers=made.layers,
        kept=made.kept,
        rest=_rest(parts),
    )
    return Converted(graph=made.graph, fp32=judge.before, judge=judge, quantization=facts)


def _fp16_note(model: Model, texts: TokenBatch) -> str:
    """How near the model comes to FP16's end, of which padding knows nothing."""
    found = check_fp16_range(model, "packed", texts)
    return f"largest value in FP16 {found.largest:,.0f}, at {found.tensor}"


def _rest(parts: BuildParts) -> str:
    if parts.spec.device == "gpu":
        return "fp16"
    return "bf16 where the CPU has it" if parts.spec.engine == "openvino" else "fp32"


def calibrated_scales(model: Model, texts: TokenBatch, calibrator: str) -> dict[str, float]:
    """The input scale of each linear layer, from the packed graph, where nothing is padding."""
    linears = quantizable_linears(model, "packed")
    batches = progress_bar(parts_of(texts, _CALIBRATION_ROWS), "calibrating")
    seen = observed(
        export_onnx(model, "packed"), linears.values(), batches, lambda batch: batch.packed()
    )
    return input_scales(linears, seen, calibrator)


def _own_model(parts: BuildParts) -> Model:
    if parts.model is None:
        raise CheckpointError(
            f"{parts.source.path} is served as it came ({parts.source.unrecognised}); "
            f"{parts.spec.precision} needs a model that is recognised: use --precision fp32"
        )
    if isinstance(parts.model, SlimModel):
        raise PrecisionError(
            f"{parts.source.path} holds a {parts.model.kind} student, which has no graph in "
            f"{parts.spec.precision}: use --precision fp32"
        )
    return parts.model


def calibration_texts(parts: BuildParts) -> TokenBatch:
    """The texts that the pipeline names for calibration, or the sample texts."""
    path = parts.spec.quantization.calibration
    if path is None:
        return parts.batch
    return read_sample_texts(path, pair=parts.spec.pair).encode(parts.encoder)


def _decision_texts(parts: BuildParts) -> TokenBatch:
    """The sample texts, and those of calibration where they are others."""
    if parts.spec.precision != "int8" or parts.spec.quantization.calibration is None:
        return parts.batch
    both = (parts.batch, calibration_texts(parts))
    return TokenBatch(
        input_ids=np.concatenate([batch.input_ids for batch in both]),
        token_type_ids=np.concatenate([batch.token_type_ids for batch in both]),
        lengths=np.concatenate([batch.lengths for batch in both]),
    )


def engine_of_graph(parts: BuildParts, graph: onnx.ModelProto, precision: str) -> Engine:
    """An engine whose files go at once: what a runtime has mapped stays until it is closed."""
    settings = parts.checking_settings(precision)
    with tempfile.TemporaryDirectory(prefix="ernie-triton-") as folder:
        write_engine(graph, settings.engine, Path(folder))
        return load_engine(Path(folder), settings)
