"""Measure how fast OpenVINO multiplies matrices of a model's shapes on this machine.

Each graph is a chain of products with a constant matrix and nothing in between: the linear layers
of a model alone. INT8 quantises the values between products, as a quantised model does. The
compiled graph says in which precision it runs, so a precision that the processor lacks is refused
and not measured as another one.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino
from openvino import opset13

from ernie_triton.errors import EngineError
from ernie_triton.model_shapes import Shape

PEAK_PRECISIONS = ("fp32", "bf16", "int8")
_HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
_RAN_IN = {"f32": "fp32", "bf16": "bf16", "i8": "int8", "u8": "int8"}
_LENGTH = 8
"""Products of a chain, enough to hide the cost of the call and of the first conversion."""
_INT8_LEVELS = 255
_INT8_RANGE = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a layer whose products have one shape, up to their direction.

    Attributes:
        name: `attention` (width to width) or `feed-forward` (width to inner width, and back).
        inner: rows of the first constant matrix: the width.
        outer: columns of the first matrix; where it differs from `inner`, the next product of the
            chain goes back.
    """

    name: str
    inner: int
    outer: int

    @property
    def flops_per_token(self) -> int:
        """Operations of this part of one layer, for one token."""
        products = 4 if self.name == "attention" else 2
        return products * 2 * self.inner * self.outer


def layer_parts(shape: Shape) -> tuple[Part, Part]:
    """Return the parts of a shape's layers."""
    return (
        Part(name="attention", inner=shape.hidden, outer=shape.hidden),
        Part(name="feed-forward", inner=shape.hidden, outer=shape.feed_forward),
    )


class Chain:
    """A compiled chain of products, ready to be timed."""

    def __init__(self, part: Part, precision: str, *, tokens: int, threads: int) -> None:
        """Compile.

        Args:
            part: decides the matrices.
            precision: one of `PEAK_PRECISIONS`.
            tokens: rows of the other factor: the tokens of a batch.
            threads: of OpenVINO.

        Raises:
            EngineError: this processor has no kernels of that precision.
        """
        compiled = openvino.Core().compile_model(
            _chain(part, precision, tokens),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _HINTS[precision],
                "PERFORMANCE_HINT": "LATENCY",
                "NUM_STREAMS": "1",
                "INFERENCE_NUM_THREADS": str(threads),
            },
        )
        found = set(_precisions_that_run(compiled))
        if found != {precision}:
            raise EngineError(
                f"a product in {precision} runs in {', '.join(sorted(found)) or 'none'} on this "
                f"processor; leave {precision} out"
            )
        self._request = compiled.create_infer_request()
        values = np.random.default_rng(0).standard_normal((tokens, part.inner), np.float32)
        self._values = {0: values}
        self._flops = 2 * tokens * part.inner * part.outer * _LENGTH
        self.flops_per_s()  # warm

    def flops_per_s(self) -> float:
        """Run once; return the operations per second."""
        start = time.perf_counter()
        self._request.infer(self._values, share_inputs=True)
        return self._flops / (time.perf_counter() - start)


def _chain(part: Part, precision: str, tokens: int) -> openvino.Model:
    given = opset13.parameter([tokens, part.inner], np.float32)
    node = given
    random = np.random.default_rng(0)
    for index in range(_LENGTH):
        rows, columns = (part.inner, part.outer) if index % 2 == 0 else (part.outer, part.inner)
        weight = random.standard_normal((columns, rows), np.float32) / np.float32(np.sqrt(rows))
        factor = opset13.constant(weight)
        if precision == "int8":
            node = _quantised(node, _INT8_RANGE)
            factor = _quantised(factor, float(np.abs(weight).max()))
        node = opset13.matmul(node, factor, False, True)
    return openvino.Model([opset13.result(node)], [given])


def _quantised(node: Any, limit: float) -> Any:  # noqa: ANN401
    low = opset13.constant(np.float32(-limit))
    high = opset13.constant(np.float32(limit))
    return opset13.fake_quantize(node, low, high, low, high, _INT8_LEVELS)


def _precisions_that_run(compiled: Any) -> Iterator[str]:  # noqa: ANN401
    for node in compiled.get_runtime_model().get_ops():
        facts = node.get_rt_info()
        if str(facts["layerType"].value).startswith(("FullyConnected", "MatMul")):
            ran_in = str(facts["runtimePrecision"].value)
            yield _RAN_IN.get(ran_in, ran_in)
