"""A plan against the graph that it was built from, on batches of random tokens."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from ernie_triton.arrays import Tensors
from ernie_triton.batch import TokenBatch
from ernie_triton.build.tensorrt.profiles import EngineShapes
from ernie_triton.engines.tensorrt_plan import Runner
from ernie_triton.errors import EngineError, ExactnessError
from ernie_triton.pipeline import SHORTEST_TEXT_TOKENS

PLAN_TOLERANCES = {"fp32": 1e-3, "fp16": 2e-2, "int8": 1e-1}
"""Largest difference of an output from ONNX Runtime's, as a part of the largest output (or of 1).

INT8 rounds: a value on the edge between two steps falls to either side in two runtimes, and the
difference of a step goes through the layers that follow.
"""

_WORDS = "embeddings/word/weight"
_FIRST_ID, _FEWEST_IDS = 1, 100
_ROWS = 6
_SEED = 20


def sample_batches(shapes: EngineShapes, vocabulary_size: int) -> Iterator[TokenBatch]:
    """Batches at the corners of the profile and between: one short row, one long, several mixed."""
    random = np.random.default_rng(_SEED)
    rows = min(_ROWS, shapes.max_rows)
    mixed = random.integers(SHORTEST_TEXT_TOKENS, shapes.max_length + 1, rows)
    usual_rows, usual_tokens = shapes.usual
    for lengths in (
        [SHORTEST_TEXT_TOKENS],
        [shapes.max_length],
        mixed.tolist(),
        [usual_tokens] * usual_rows,
    ):
        tokens = sum(lengths)
        yield TokenBatch(
            input_ids=random.integers(_FIRST_ID, vocabulary_size, tokens, dtype=np.int32),
            token_type_ids=np.zeros(tokens, np.int32),
            lengths=np.array(lengths, np.int32),
        )


def vocabulary_size(graph: Path) -> int:
    """Rows of the word embeddings of a graph of ours; as few as any vocabulary has otherwise."""
    model = onnx.load(graph, load_external_data=False)
    words = (item.dims[0] for item in model.graph.initializer if item.name == _WORDS)
    return max(int(next(words, _FEWEST_IDS)), _FIRST_ID + 1)


def onnx_runner(graph: Path) -> Runner:
    """The graph in ONNX Runtime on the CPU.

    Raises:
        EngineError: ONNX Runtime refuses the graph.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            str(graph), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's own have no common base
        raise EngineError(f"ONNX Runtime cannot load {graph}: {error}") from error
    inputs = [item.name for item in session.get_inputs()]
    outputs = [item.name for item in session.get_outputs()]

    def run(arrays: Tensors) -> dict[str, npt.NDArray[Any]]:
        found = session.run(outputs, {name: arrays[name] for name in inputs})
        return dict(zip(outputs, found, strict=True))

    return run


def largest_difference(
    plan: Runner, graph: Runner, shapes: EngineShapes, size: int, precision: str
) -> float:
    """Run a plan and its graph on the sample batches and compare.

    Args:
        plan: the plan.
        graph: the graph in ONNX Runtime.
        shapes: the shapes that the engine has to run.
        size: token ids of the vocabulary.
        precision: of the graph; says how much may differ.

    Returns:
        The largest absolute difference of an output.

    Raises:
        ExactnessError: it is larger than allowed, or not a number.
    """
    worst = 0.0
    for batch in sample_batches(shapes, size):
        feed = batch.packed() if shapes.layout == "packed" else batch.padded(0, shapes.max_length)
        found, expected = plan(feed), graph(feed)
        for name, wanted in expected.items():
            if found[name].shape != wanted.shape:
                raise ExactnessError(
                    f"the plan returns {name} of the shape {list(found[name].shape)}, the graph "
                    f"{list(wanted.shape)}; rebuild the pipeline"
                )
            # What stands at padding is never read.
            rows = feed["attention_mask"] == 1 if shapes.layout == "padded" else ...
            if rows is not ... and wanted.shape[:2] != rows.shape:
                rows = ...
            difference = np.abs(found[name].astype(np.float64) - wanted)[rows]
            allowed = PLAN_TOLERANCES[precision] * max(1.0, float(np.abs(wanted).max()))
            largest = float(difference.max()) if np.isfinite(difference).all() else np.inf
            if largest > allowed:
                raise ExactnessError(
                    f"the {precision} plan differs from its graph in ONNX Runtime by {largest:.2e} "
                    f"in {name} of a batch of {batch.rows} rows and {len(batch.input_ids)} tokens, "
                    f"more than the {allowed:.0e} allowed; build with --precision fp32, or with "
                    f"the TensorRT of another image"
                )
            worst = max(worst, largest)
    return worst
