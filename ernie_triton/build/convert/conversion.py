"""Convert the FP32 graph to the precision of the pipeline, and measure the loss.

FP32 and BF16 engines are made of the FP32 graph as it is. FP16 and INT8 have graphs of their own;
each is compared with the FP32 graph in the same runtime, after that with the source.
"""

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.exactness import TOLERANCES, compare, split_batch
from ernie_triton.build.check.local_answers import PipelineParts
from ernie_triton.build.check.precision_check import (
    FP16_ALLOWED_LOSS,
    Limits,
    PrecisionCheck,
    Quality,
)
from ernie_triton.build.check.sample_texts import read_sample_texts, sample_rules
from ernie_triton.build.convert.calibration import input_scales, observed
from ernie_triton.build.convert.engine_file import write_engine
from ernie_triton.build.convert.fp16_range import check_fp16_range
from ernie_triton.build.convert.quantization import Int8Graphs, QuantizationFacts, quantize
from ernie_triton.build.graph.export import export_onnx, quantizable_linears
from ernie_triton.build.graph.numerics import Numerics
from ernie_triton.build.inputs import BuildInputs
from ernie_triton.build.model.models import Model
from ernie_triton.build.model.slim import SlimModel
from ernie_triton.build.progress import StepReporter, progress_bar
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
        check: compares with it.
        quality: what the conversion costs, where that is known already.
        quantization: how it was quantised, if it was.
    """

    graph: onnx.ModelProto
    fp32: Engine | None = None
    check: PrecisionCheck | None = None
    quality: Quality | None = None
    quantization: QuantizationFacts | None = None


def convert_graph(inputs: BuildInputs, step: StepReporter) -> Converted:
    """The graph to serve, and what it was compared with.

    Raises:
        CheckpointError: the precision needs a graph of our own, and the model has none.
        ExactnessError: the conversion costs more than allowed.
    """
    spec = inputs.spec
    if spec.precision in ("fp32", "bf16") and spec.quantization.data is None:
        return Converted(graph=inputs.graph)
    check = fp32_check(inputs, step)
    if spec.precision == "int8":
        return _int8(inputs, check, step)
    if spec.precision == "fp16":
        return _fp16(inputs, check, step)
    return Converted(graph=inputs.graph, fp32=check.fp32, check=check)


def check_quality(converted: Converted, engine: Engine, step: StepReporter) -> Quality | None:
    """Measure the loss of the finished engine against FP32, where the conversion needs that.

    Raises:
        ExactnessError: more than allowed.
    """
    if converted.check is None:
        return None
    with step("evaluate") as notes:
        quality = converted.check.quality(engine)
        notes.append(quality.sentence())
    if not quality.fits:
        raise ExactnessError(
            f"{engine.settings.precision} loses too much: {quality.sentence()}; build with "
            f"--precision fp32"
        )
    return quality


def fp32_check(inputs: BuildInputs, step: StepReporter) -> PrecisionCheck:
    """The check against the FP32 graph in the engine's runtime, once that agrees with the source.

    Raises:
        ExactnessError: it does not.
    """
    return _precision_check(inputs, _fp32_engine(inputs, step))


def _fp32_engine(inputs: BuildInputs, step: StepReporter) -> Engine:
    with step("source") as notes:
        engine = engine_of_graph(inputs, inputs.graph, "fp32")
        tolerance = max(TOLERANCES["fp32"], inputs.spec.tolerance)
        most = inputs.spec.batching.max_batch_size
        exactness = compare(
            engine, inputs.source_outputs.reference, inputs.batch, most, tolerance=tolerance
        )
        notes.append(f"the FP32 graph differs by {exactness.largest_difference:.1e} at most")
    return engine


def _precision_check(inputs: BuildInputs, fp32: Engine) -> PrecisionCheck:
    spec = inputs.spec
    limits = {
        "int8": Limits(
            loss=spec.quantization.allowed_loss, changes=spec.quantization.allowed_changes
        ),
        "fp16": Limits(loss=FP16_ALLOWED_LOSS, changes=None),
    }
    return PrecisionCheck(
        parts=PipelineParts(spec, inputs.sizes(), inputs.encoder),
        fp32=fp32,
        batch=_decision_texts(inputs),
        data=spec.quantization.data,
        limits=limits.get(spec.precision, Limits(loss=None, changes=None)),
    )


def _fp16(inputs: BuildInputs, check: PrecisionCheck, step: StepReporter) -> Converted:
    with step("fp16") as notes:
        model = own_model(inputs)
        graph = export_onnx(model, inputs.spec.layout, Numerics(compute="fp16"))
        notes.append(_fp16_note(model, calibration_texts(inputs)))
    return Converted(graph=graph, fp32=check.fp32, check=check)


def int8_graphs(inputs: BuildInputs, texts: TokenBatch, step: StepReporter) -> Int8Graphs:
    """The pipeline's graphs in INT8, calibrated on these texts.

    Raises:
        CheckpointError: the model was not recognised.
        PrecisionError: what stays in FP16 does not fit it.
    """
    spec, model = inputs.spec, own_model(inputs)
    with step("calibrate") as notes:
        scales = calibrated_scales(model, texts, spec.quantization.calibrator)
        notes.append(f"{spec.quantization.calibrator} on {texts.rows} texts")
        if spec.device == "gpu":
            notes.append(_fp16_note(model, texts))
    return Int8Graphs(model=model, spec=spec, scales=scales)


def _int8(inputs: BuildInputs, check: PrecisionCheck, step: StepReporter) -> Converted:
    spec = inputs.spec
    texts = calibration_texts(inputs)
    graphs = int8_graphs(inputs, texts, step)
    with step("quantize") as notes:
        made = quantize(graphs, check, partial(engine_of_graph, inputs), texts)
        kept = f"{len(made.kept)} layers kept" if made.kept else "none kept"
        notes.append(f"{made.layers} layers in int8, {kept}; {made.quality.sentence()}")
    facts = QuantizationFacts(
        calibrator=spec.quantization.calibrator,
        calibration=str(spec.quantization.calibration or spec.texts or ""),
        calibration_texts=texts.rows,
        layers=made.layers,
        kept=made.kept,
        rest=_rest(inputs),
        weight_steps=graphs.weight_steps,
    )
    return Converted(graph=made.graph, fp32=check.fp32, check=check, quantization=facts)


def _fp16_note(model: Model, texts: TokenBatch) -> str:
    """The largest value in FP16; measured on packed tokens, so that padding does not count."""
    found = check_fp16_range(model, "packed", texts)
    return f"largest value in FP16 {found.largest:,.0f}, at {found.tensor}"


def _rest(inputs: BuildInputs) -> str:
    if inputs.spec.device == "gpu":
        return "fp16"
    return "bf16 where the CPU has it" if inputs.spec.engine == "openvino" else "fp32"


def calibrated_scales(model: Model, texts: TokenBatch, calibrator: str) -> dict[str, float]:
    """The input scale of each linear layer, from the packed graph, where nothing is padding."""
    linears = quantizable_linears(model, "packed")
    batches = progress_bar(split_batch(texts, _CALIBRATION_ROWS), "calibrating")
    seen = observed(
        export_onnx(model, "packed"), linears.values(), batches, lambda batch: batch.packed()
    )
    return input_scales(linears, seen, calibrator)


def own_model(inputs: BuildInputs) -> Model:
    """The encoder that graphs in other precisions are written of.

    Raises:
        CheckpointError: the model was not recognised.
        PrecisionError: it is a student, which has no such graph.
    """
    if inputs.model is None:
        raise CheckpointError(
            f"{inputs.source.path} is served as it came ({inputs.source.unrecognised}); "
            f"{inputs.spec.precision} needs a model that is recognised: use --precision fp32"
        )
    if isinstance(inputs.model, SlimModel):
        raise PrecisionError(
            f"{inputs.source.path} holds a {inputs.model.kind} student, which has no graph in "
            f"{inputs.spec.precision}: use --precision fp32"
        )
    return inputs.model


def calibration_texts(inputs: BuildInputs) -> TokenBatch:
    """The texts that the pipeline names for calibration, or the sample texts."""
    path = inputs.spec.quantization.calibration
    if path is None:
        return inputs.batch
    samples = read_sample_texts(path, sample_rules(inputs.spec, inputs.vocabulary))
    return samples.encode(inputs.encoder)


def _decision_texts(inputs: BuildInputs) -> TokenBatch:
    """The sample texts, and those of calibration where they are others."""
    if inputs.spec.precision != "int8" or inputs.spec.quantization.calibration is None:
        return inputs.batch
    both = (inputs.batch, calibration_texts(inputs))
    return TokenBatch(
        input_ids=np.concatenate([batch.input_ids for batch in both]),
        token_type_ids=np.concatenate([batch.token_type_ids for batch in both]),
        lengths=np.concatenate([batch.lengths for batch in both]),
    )


def engine_of_graph(inputs: BuildInputs, graph: onnx.ModelProto, precision: str) -> Engine:
    """An engine whose files are deleted at once; a runtime keeps what it has mapped."""
    settings = inputs.checking_settings(precision)
    with tempfile.TemporaryDirectory(prefix="ernie-triton-") as folder:
        write_engine(graph, settings.engine, Path(folder))
        return load_engine(Path(folder), settings)
