"""Choose the engine of a pipeline by timing those that could run it on this processor.

Which runtime is faster depends on the processor, the model and the rows of a batch. All candidates
run the pipeline's own sample texts in turns, so that a busy machine slows all of them alike.
"""

import dataclasses
import statistics

import numpy as np
import onnx

from ernie_triton.batch import TokenBatch
from ernie_triton.build.check.exactness import compare
from ernie_triton.build.check.speed import EngineChoice, time_in_turn
from ernie_triton.build.convert.conversion import calibrated_scales, engine_of_graph, own_model
from ernie_triton.build.convert.quantization import Int8Graphs
from ernie_triton.build.inputs import BuildInputs
from ernie_triton.build.progress import StepReporter
from ernie_triton.engines import Engine
from ernie_triton.errors import EngineError, ExactnessError, MissingExtraError
from ernie_triton.pipeline import PipelineSpec

_TIMED_ROWS = (1, 8, 32)
_TIMED_BATCHES = 8
_TURNS = 2
"""Turns of each engine. They are no shorter, since threads of OpenVINO stay awake after a run and
slow the next: run by run, ONNX Runtime has half of its speed with one row."""
_SCALE_TEXTS = 8
"""Texts for the ranges of an INT8 graph that is only timed: their values do not change its time."""


def with_engine_chosen(inputs: BuildInputs, step: StepReporter) -> BuildInputs:
    """The inputs with an engine that is named: as it came, or the fastest candidate.

    Raises:
        ErnieTritonError: no candidate can run the model, or none answers as the source does.
    """
    names = inputs.spec.engines
    if len(names) == 1:
        return dataclasses.replace(inputs, spec=_spec(inputs, names[0]))
    with step("choose") as notes:
        choice = choose_engine(inputs)
        notes.append(choice.sentence())
    return dataclasses.replace(inputs, spec=_spec(inputs, choice.fastest), choice=choice)


def choose_engine(inputs: BuildInputs) -> EngineChoice:
    """Time every candidate that answers as the source does.

    Raises:
        ErnieTritonError: of the first candidate, where none is left.
    """
    inputs.sizes()  # first: wrong labels are a clearer error than wrong scores
    engines: dict[str, Engine] = {}
    failures: dict[str, Exception] = {}
    for name in inputs.spec.engines:
        try:
            engines[name] = _checked(dataclasses.replace(inputs, spec=_spec(inputs, name)))
        except (EngineError, ExactnessError, MissingExtraError) as error:
            failures[name] = error
    if not engines:
        raise next(iter(failures.values()))
    most = inputs.spec.batching.max_batch_size
    speeds: dict[str, dict[int, float]] = {name: {} for name in engines}
    for rows in sorted({min(rows, most) for rows in _TIMED_ROWS}):
        batches = _batches(inputs.batch, rows)
        seconds: dict[str, list[float]] = {name: [] for name in engines}
        for name, engine in _TURNS * [*engines.items()]:
            runs = time_in_turn([engine], batches, 1 / len(_TIMED_ROWS) / _TURNS)
            seconds[name] += [run_s for (run_s,) in runs]
        for name, measured in seconds.items():
            speeds[name][rows] = rows / statistics.median(measured)
    return EngineChoice(speeds=speeds, refused={name: str(e) for name, e in failures.items()})


def _spec(inputs: BuildInputs, engine: str) -> PipelineSpec:
    return dataclasses.replace(inputs.spec, engine=engine)


def _checked(inputs: BuildInputs) -> Engine:
    """An engine of the pipeline's graph; in FP32 it was compared with the source.

    What another precision loses is measured once, when the engine is chosen.
    """
    spec = inputs.spec
    engine = engine_of_graph(inputs, _graph(inputs), spec.precision)
    if spec.precision == "fp32":
        reference, most = inputs.source_outputs.reference, spec.batching.max_batch_size
        compare(engine, reference, inputs.batch, most, tolerance=spec.tolerance)
    return engine


def _graph(inputs: BuildInputs) -> onnx.ModelProto:
    spec = inputs.spec
    if spec.precision != "int8":
        return inputs.graph
    model = own_model(inputs)
    some = inputs.batch.select(np.arange(min(_SCALE_TEXTS, inputs.batch.rows)))
    scales = calibrated_scales(model, some, spec.quantization.calibrator)
    return Int8Graphs(model=model, spec=spec, scales=scales).graph([])


def _batches(samples: TokenBatch, rows: int) -> list[TokenBatch]:
    """A few batches of so many sample texts, of all lengths."""
    count = min(_TIMED_BATCHES, -(-samples.rows // rows))
    places = np.arange(count * rows) * max(samples.rows // (count * rows), 1) % samples.rows
    return [samples.select(part) for part in places.reshape(count, rows)]
