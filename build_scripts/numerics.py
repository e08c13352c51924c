"""What a graph computes in, decided while it is written: the same numbers in every runtime.

FP16 graphs are FP16 with FP32 where an encoder needs it. INT8 is explicit: every quantised linear
layer has QuantizeLinear and DequantizeLinear around its input, and int8 weights with one scale for
each output column.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

COMPUTE_TYPES = ("fp32", "fp16")


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
        odd = [name for name, scale in self.input_scales.items() if not scale > 0]
        if odd:
            raise ValueError(f"the input scale of {odd[0]} is {self.input_scales[odd[0]]}")


FP32 = Numerics()
