"""What a graph computes in, decided while it is written: the same numbers in every runtime.

FP16 graphs are FP16 with FP32 where an encoder needs it. INT8 is explicit: every quantised linear
layer has QuantizeLinear and DequantizeLinear around its input, and int8 weights with one scale for
each output column.
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
"""The largest number that FP16 holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numerics:
    """The number formats of one graph.

    Attributes:
        compute: `fp32` or `fp16`: of everything that is not quantised.
        input_scales: for each quantised linear layer, by its name in the graph
            (`layer_0/attention/query`), the scale of its int8 input: symmetric, a step of that
            size, values up to 127 steps. Layers that are not named stay in `compute`.
    """

    compute: str = "fp32"
    input_scales: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.compute not in COMPUTE_TYPES:
            raise ValueError(f"compute is {self.compute!r}; expected {' or '.join(COMPUTE_TYPES)}")
        odd = [name for name, scale in self.input_scales.items() if not 0 < scale < math.inf]
        if odd:
            raise ValueError(f"the input scale of {odd[0]} is {self.input_scales[odd[0]]}")

    @property
    def compute_type(self) -> FloatType:
        """Of the weights and the matrix multiplications, as NumPy has it."""
        return np.float16 if self.compute == "fp16" else np.float32


FP32 = Numerics()


def int8_step(scale: npt.ArrayLike, dtype: FloatType) -> npt.NDArray[Any]:
    """Scales as a graph stores them: of this type, and never rounded to 0."""
    return np.maximum(np.asarray(scale).astype(dtype), np.finfo(dtype).smallest_subnormal)


def int8_weight(
    weight: npt.NDArray[np.float32], scale_type: FloatType
) -> tuple[npt.NDArray[np.int8], npt.NDArray[Any]]:
    """Round a matrix to int8 with a scale for each column.

    Args:
        weight: float32 [inputs, outputs].
        scale_type: of the scales, as they are stored.

    Returns:
        int8 [inputs, outputs] within -127 and 127, and the scales [outputs]: the largest magnitude
        of a column over 127, and never 0.
    """
    scales = int8_step(np.abs(weight).max(axis=0) / np.float32(127), scale_type)
    steps = np.rint(weight / scales.astype(np.float32))
    return np.clip(steps, -127, 127).astype(np.int8), scales
