"""A builder that collects the nodes and initializers of an ONNX graph."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from ernie_triton import __version__
from ernie_triton.build.graph.numerics import FP16_LIMIT, FP32, Numerics, int8_step, int8_weight
from ernie_triton.build.model.encoder import Linear, Norm
from ernie_triton.errors import PrecisionError

OPSET = 20
IR_VERSION = 9
_OPERATORS = {
    "gelu": "Gelu",
    "relu": "Relu",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "identity": "Identity",
}


@dataclass(slots=True)
class GraphBuilder:
    """Nodes and initializers so far; every tensor is named after its content.

    Attributes:
        numerics: number formats that `linear` and `norm` write.
        linear_inputs: name of the input tensor of each linear layer, by the layer's name.
    """

    numerics: Numerics = FP32
    linear_inputs: dict[str, str] = field(default_factory=dict)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: dict[str, onnx.TensorProto] = field(default_factory=dict)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    outputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    _rounded: dict[tuple[str, float], str] = field(default_factory=dict)
    _widened: dict[str, str] = field(default_factory=dict)

    def add(self, operator: str, name: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        """Add a node with one output of the same name; return the name."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: npt.ArrayLike, dtype: npt.DTypeLike) -> str:
        """Add an initializer, once for each name.

        Raises:
            PrecisionError: a number is too large for the type.
        """
        if name not in self.initializers:
            with np.errstate(over="ignore"):
                array = np.asarray(value, dtype=dtype, order="C")
            if array.dtype == np.float16 and not np.isfinite(array).all():
                largest = np.abs(value).max()
                raise PrecisionError(
                    f"{name} holds {largest:.6g}, and FP16 no more than {FP16_LIMIT:.0f}; build "
                    f"with --precision fp32"
                )
            self.initializers[name] = numpy_helper.from_array(array, name)
        return name

    def integers(self, *values: int) -> str:
        """Add an int64 vector, for shape arguments."""
        return self.constant(f"int64_{'_'.join(map(str, values))}", values, np.int64)

    def integers32(self, *values: int) -> str:
        """Add an int32 vector."""
        return self.constant(f"int32s_{'_'.join(map(str, values))}", values, np.int32)

    def int64(self, value: int) -> str:
        """Add an int64 scalar."""
        return self.constant(f"int64_scalar_{value}", value, np.int64)

    def int32(self, value: int) -> str:
        """Add an int32 scalar."""
        return self.constant(f"int32_{value}", value, np.int32)

    def input(self, name: str, *dims: str) -> str:
        """Declare an int32 input."""
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.INT32, dims))
        return name

    def widened(self, x: str) -> str:
        """Convert a tensor of the compute type to float32."""
        if self.numerics.compute == "fp32":
            return x
        if x not in self._widened:
            self._widened[x] = self.add("Cast", f"{x}/fp32", x, to=TensorProto.FLOAT)
        return self._widened[x]

    def narrow(self, x: str) -> str:
        """Convert a tensor of float32 to the compute type."""
        if self.numerics.compute == "fp32":
            return x
        return self.add("Cast", f"{x}/fp16", x, to=TensorProto.FLOAT16)

    def narrowed(self, operator: str, name: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        """Add a node with float32 inputs and round its output to the compute type."""
        if self.numerics.compute == "fp32":
            return self.add(operator, name, *inputs, **attributes)
        unrounded = self.add(operator, f"{name}/unrounded", *inputs, **attributes)
        return self.add("Cast", name, unrounded, to=TensorProto.FLOAT16)

    def result(self, operator: str, name: str, *inputs: str) -> str:
        """Add a node with inputs of the compute type and convert its output to float32."""
        if self.numerics.compute == "fp32":
            return self.add(operator, name, *inputs)
        rounded = self.add(operator, f"{name}/fp16", *inputs)
        return self.add("Cast", name, rounded, to=TensorProto.FLOAT)

    def total(self, name: str, *terms: str) -> str:
        """Add tensors of the compute type in float32."""
        return self.add("Add", name, *(self.widened(term) for term in terms))

    def linear(self, name: str, linear: Linear, x: str) -> str:
        """Add `x @ weight + bias` in the compute type, through int8 where `x` has a scale."""
        self.linear_inputs[name] = x
        scale = self.numerics.input_scales.get(name)
        if scale is None:
            weight = self.constant(f"{name}/weight", linear.weight, self.numerics.compute_type)
        else:
            weight = self._int8_weight(name, linear.weight)
            x = self._through_int8(name, x, scale)
        bias = self.constant(f"{name}/bias", linear.bias, self.numerics.compute_type)
        return self.add("Add", name, self.add("MatMul", f"{name}/product", x, weight), bias)

    def scores(self, name: str, linear: Linear, x: str) -> str:
        """Add `x @ weight + bias` as float32; only the product has the compute type."""
        weight = self.constant(f"{name}/weight", linear.weight, self.numerics.compute_type)
        bias = self.constant(f"{name}/bias", linear.bias, np.float32)
        product = self.widened(self.add("MatMul", f"{name}/product", x, weight))
        return self.add("Add", name, product, bias)

    def _int8_weight(self, name: str, weight: npt.NDArray[np.float32]) -> str:
        dtype = self.numerics.compute_type
        values, scales = int8_weight(weight, dtype, self.numerics.weight_steps)
        quantized = self.constant(f"{name}/weight/int8", values, np.int8)
        steps = self.constant(f"{name}/weight/scales", scales, dtype)
        # Zeros by name: without them ONNX Runtime cannot be told to multiply bytes exactly (1.31).
        zeros = self.constant(f"{name}/weight/zeros", np.zeros_like(scales, np.int8), np.int8)
        return self.add("DequantizeLinear", f"{name}/weight", quantized, steps, zeros, axis=1)

    def _through_int8(self, name: str, x: str, scale: float) -> str:
        """Round a tensor to int8 steps, once for all linear layers with this input and scale."""
        if (x, scale) not in self._rounded:
            dtype = self.numerics.compute_type
            step = self.constant(f"{name}/input/scale", int8_step(scale, dtype), dtype)
            zero = self.constant("int8_0", 0, np.int8)
            quantized = self.add("QuantizeLinear", f"{name}/input/int8", x, step, zero)
            rounded = self.add("DequantizeLinear", f"{name}/input", quantized, step, zero)
            self._rounded[x, scale] = rounded
        return self._rounded[x, scale]

    def norm(self, name: str, norm: Norm, x: str) -> str:
        """Normalise float32 over the last dimension and round to the compute type."""
        scale = self.constant(f"{name}/scale", norm.scale, np.float32)
        bias = self.constant(f"{name}/bias", norm.bias, np.float32)
        return self.narrowed(
            "LayerNormalization", name, x, scale, bias, axis=-1, epsilon=norm.epsilon
        )

    def activation(self, name: str, kind: str, x: str) -> str:
        """Add one of `DENSE_ACTIVATIONS` or `POOLER_ACTIVATIONS` of `build.model.heads`."""
        if kind == "tanh_relu":
            return self.add("Relu", f"{name}/relu", self.add("Tanh", name, x))
        if kind == "gelu_tanh":
            return self.add("Gelu", name, x, approximate="tanh")
        return self.add(_OPERATORS[kind], name, x)

    def output(self, name: str, *dims: str | int) -> str:
        """Declare a tensor as float32 output of the graph."""
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, dims))
        return name

    def model(self, name: str) -> onnx.ModelProto:
        """Return the finished graph."""
        graph = helper.make_graph(
            self.nodes, name, self.inputs, self.outputs, list(self.initializers.values())
        )
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="ernie-triton",
            producer_version=__version__,
        )
