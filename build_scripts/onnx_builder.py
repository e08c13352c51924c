"""An ONNX graph being written: nodes and initializers, each tensor named after what it holds."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from build_scripts.encoder import Linear, Norm
from ernie_triton import __version__

OPSET = 20
IR_VERSION = 9


@dataclass(slots=True)
class GraphBuilder:
    """Nodes and initializers being collected; every tensor is named after what it holds."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: dict[str, onnx.TensorProto] = field(default_factory=dict)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    outputs: list[onnx.ValueInfoProto] = field(default_factory=list)

    def add(self, operator: str, name: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        """Add a node with one output of the same name, which is returned."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: npt.ArrayLike, dtype: npt.DTypeLike) -> str:
        """Add an initializer once, by name."""
        if name not in self.initializers:
            array = np.asarray(value, dtype=dtype, order="C")
            self.initializers[name] = numpy_helper.from_array(array, name)
        return name

    def integers(self, *values: int) -> str:
        """An int64 vector, as shape arguments want it."""
        return self.constant(f"int64_{'_'.join(map(str, values))}", values, np.int64)

    def int64(self, value: int) -> str:
        """An int64 scalar."""
        return self.constant(f"int64_scalar_{value}", value, np.int64)

    def int32(self, value: int) -> str:
        """An int32 scalar."""
        return self.constant(f"int32_{value}", value, np.int32)

    def input(self, name: str, *dims: str) -> str:
        """Declare an int32 input."""
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.INT32, dims))
        return name

    def linear(self, name: str, linear: Linear, x: str) -> str:
        """`x @ weight + bias`."""
        weight = self.constant(f"{name}/weight", linear.weight, np.float32)
        bias = self.constant(f"{name}/bias", linear.bias, np.float32)
        return self.add("Add", name, self.add("MatMul", f"{name}/product", x, weight), bias)

    def norm(self, name: str, norm: Norm, x: str) -> str:
        """Layer normalisation over the last dimension."""
        scale = self.constant(f"{name}/scale", norm.scale, np.float32)
        bias = self.constant(f"{name}/bias", norm.bias, np.float32)
        return self.add("LayerNormalization", name, x, scale, bias, axis=-1, epsilon=norm.epsilon)

    def activation(self, name: str, kind: str, x: str) -> str:
        """One of `build_scripts.encoder.ACTIVATIONS`."""
        if kind == "gelu_tanh":
            return self.add("Gelu", name, x, approximate="tanh")
        operators = {"gelu": "Gelu", "relu": "Relu", "tanh": "Tanh", "identity": "Identity"}
        return self.add(operators[kind], name, x)

    def output(self, name: str, *dims: str | int) -> str:
        """Name a tensor that was added as float32 output of the graph."""
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, dims))
        return name

    def model(self, name: str) -> onnx.ModelProto:
        """The finished graph."""
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
