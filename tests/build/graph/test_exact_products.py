"""INT8 products are those of integers on every processor, for the values that overflow first.

x86-64 without VNNI sums products of bytes in pairs of 16 bits, which saturate. Trained models
rarely meet such sums; these values do at once.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from ernie_triton.arrays import Float32
from ernie_triton.build.convert.engine_file import write_engine
from ernie_triton.build.graph.builder import GraphBuilder
from ernie_triton.build.graph.cpu_int8 import for_onnx_runtime, for_openvino
from ernie_triton.build.graph.numerics import EXACT_INT8_STEPS, INT8_STEPS, Numerics
from ernie_triton.build.model.encoder import Linear
from ernie_triton.engines import load_engine
from ernie_triton.settings import EngineSettings

OUTPUTS = 19
SCALE = 0.5
"""Of the weights: a power of two, so that every result is a whole number of steps in FP32."""

Integers = npt.NDArray[np.int64]


def extremes(rows: int, width: int, least: int, most: int) -> Integers:
    """Rows of the values that overflow first: all largest, all least, in turn, and random."""
    random = np.random.default_rng(rows + width)
    made = random.integers(least, most + 1, (rows, width))
    for row, period in enumerate((0, 1, 2, 4, 8)):
        places = np.arange(width)
        lower = places // period % 2 == 1 if period else np.zeros(width, np.bool_)
        for sign, target in ((False, 2 * row), (True, 2 * row + 1)):
            if target < rows:
                made[target] = np.where(lower ^ sign, least, most)
    return made


def product_graph(steps: Integers, largest: int) -> onnx.ModelProto:
    """A quantised linear layer with exactly these weights, on a tensor of whole numbers."""
    graph = GraphBuilder(numerics=Numerics(input_scales={"layer": 1.0}, weight_steps=largest))
    given = graph.input("input_ids", "rows", "width")
    x = graph.add("Cast", "x", given, to=TensorProto.FLOAT)
    weight = (steps * SCALE).astype(np.float32)
    product = graph.linear("layer", Linear(weight=weight, bias=np.zeros(OUTPUTS, np.float32)), x)
    graph.add("Identity", "logits", product)
    graph.output("logits", "rows", OUTPUTS)
    return graph.model("product")


def engine_products(graph: onnx.ModelProto, engine: str, folder: Path, x: Integers) -> Float32:
    """The products as the pipeline's own engine computes them."""
    form = for_openvino if engine == "openvino" else for_onnx_runtime
    write_engine(form(graph), engine, folder)
    settings = EngineSettings(
        task="seq_cls",
        pair=False,
        engine=engine,
        precision="int8",
        layout="packed",
        threads=1,
        max_length=128,
        pad_token_id=0,
        vocabulary_size=60,
        token_types=2,
    )
    runtime = load_engine(folder, settings).runtime
    return runtime.run({"input_ids": x.astype(np.int32)})["logits"]


def backend_products(graph: onnx.ModelProto, _engine: str, folder: Path, x: Integers) -> Float32:
    """The same from a plain session, as Triton's C++ ONNX Runtime backend opens it."""
    write_engine(for_onnx_runtime(graph), "onnxruntime", folder)
    session = onnxruntime.InferenceSession(
        folder / "model.onnx", providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(["logits"], {"input_ids": x.astype(np.int32)})
    return np.asarray(found)


@pytest.mark.parametrize("width", [37, 256, 768])
@pytest.mark.parametrize(
    ("products", "engine"),
    [
        (engine_products, "openvino"),
        (engine_products, "onnxruntime"),
        (backend_products, "triton's onnxruntime"),
    ],
)
def test_every_cpu_engine_multiplies_the_largest_bytes_exactly(
    products: Callable[[onnx.ModelProto, str, Path, Integers], Float32],
    engine: str,
    width: int,
    tmp_path: Path,
) -> None:
    weights = extremes(OUTPUTS, width, -EXACT_INT8_STEPS, EXACT_INT8_STEPS).T
    weights[0] = EXACT_INT8_STEPS  # so that the scale of every column is the same
    graph = product_graph(weights, EXACT_INT8_STEPS)
    arrays = {item.name: onnx.numpy_helper.to_array(item) for item in graph.graph.initializer}
    np.testing.assert_array_equal(arrays["layer/weight/int8"], weights)
    for rows in (1, 10, 41):
        x = extremes(rows, width, -INT8_STEPS - 1, INT8_STEPS)
        expected = (x @ weights) * SCALE
        np.testing.assert_array_equal(products(graph, engine, tmp_path, x), expected)


def test_the_sum_of_two_such_products_fits_16_bits_and_no_larger_weights_do() -> None:
    limit = np.iinfo(np.int16).max
    assert 2 * 255 * EXACT_INT8_STEPS <= limit < 2 * 255 * (EXACT_INT8_STEPS + 1)
