"""The number formats of a graph, fixed when it is written: the same numbers in every runtime.

FP16 graphs keep FP32 where an encoder needs it. INT8 is explicit: every quantised linear layer has
QuantizeLinear and DequantizeLinear around its input, and int8 weights with a scale per output
column.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

FloatType = type[np.float32] | type[np.float16]

COMPUTE_TYPES = ("fp32", "fp16")

FP16_LIMIT = 65504.0
"""The largest finite FP16 number."""

INT8_STEPS = 127
"""The steps of int8 to either side of 0; -128 is not used."""

EXACT_INT8_STEPS = 64
"""Steps of int8 weights with which products of bytes are exact on every processor.

x86-64 without VNNI adds two products of an unsigned and a signed byte in 16 bits (`vpmaddubsw`):
2 * 255 * 64 = 32,640 is below the limit of 32,767, which 2 * 255 * 127 is not.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numerics:
    """The number formats of one graph.

    Attributes:
        compute: `fp32` or `fp16`: the type of everything that is not quantised.
        input_scales: by layer name (`layer_0/attention/query`), the step of the layer's int8 input;
            symmetric, up to 127 steps. Other layers keep the type `compute`.
        weight_steps: steps of int8 weights to either side of 0: `INT8_STEPS`, or
            `EXACT_INT8_STEPS` for runtimes on CPU.
    """

    compute: str = "fp32"
    input_scales: Mapping[str, float] = field(default_factory=dict)
    weight_steps: int = INT8_STEPS

    def __post_init__(self) -> None:
        if self.compute not in COMPUTE_TYPES:
            raise ValueError(f"compute is {self.compute!r}; expected {' or '.join(COMPUTE_TYPES)}")
        invalid = [name for name, scale in self.input_scales.items() if not 0 < scale < math.inf]
        if invalid:
            raise ValueError(f"the input scale of {invalid[0]} is {self.input_scales[invalid[0]]}")

    @property
    def compute_type(self) -> FloatType:
        """NumPy type of the weights and the matrix products."""
        return np.float16 if self.compute == "fp16" else np.float32


FP32 = Numerics()


def int8_step(scale: npt.ArrayLike, dtype: FloatType) -> npt.NDArray[Any]:
    """Convert scales to the type in which a graph stores them, never rounding to 0."""
    return np.maximum(np.asarray(scale).astype(dtype), np.finfo(dtype).smallest_subnormal)


def int8_weight(
    weight: npt.NDArray[np.float32], scale_type: FloatType, steps: int = INT8_STEPS
) -> tuple[npt.NDArray[np.int8], npt.NDArray[Any]]:
    """Round a matrix to int8 with a scale per column.

    Args:
        weight: float32 [inputs, outputs].
        scale_type: type in which the scales are stored.
        steps: how many to either side of 0.

    Returns:
        int8 [inputs, outputs] from -steps to steps, and the scales [outputs]: the largest magnitude
        of a column divided by the steps, never 0.
    """
    scales = int8_step(np.abs(weight).max(axis=0) / np.float32(steps), scale_type)
    rounded = np.rint(weight / scales.astype(np.float32))
    return np.clip(rounded, -steps, steps).astype(np.int8), scales
