"""Check on real tokens that the tensors of a model stay within FP16's range.

The FP32 graph tells each tensor's largest magnitude; the FP16 graph tells which tensors would be
FP16. An overflow makes infinities, and then answers that are no numbers.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper

from ernie_triton.batch import TokenBatch
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.graph.numerics import FP16_LIMIT, Numerics
from ernie_triton.build.model.models import Model
from ernie_triton.errors import PrecisionError

_CELLS = 2048
"""Most cells of one run: the scores of all heads are the largest tensor."""
_WARNINGS_AND_WORSE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fp16Range:
    """The largest number of a model that FP16 would have to hold.

    Attributes:
        largest: magnitude of any number that would be FP16.
        tensor: the name in the graph of the tensor that holds it.
    """

    largest: float
    tensor: str


def check_fp16_range(model: Model, layout: str, batch: TokenBatch) -> Fp16Range:
    """Look at every tensor that the FP16 graph has in FP16, on a batch of calibration tokens.

    Args:
        model: the weights.
        layout: `packed` or `padded`.
        batch: tokens of typical texts.

    Raises:
        PrecisionError: a weight or a tensor is beyond FP16's range; the first on the way.
    """
    names = _fp16_tensors(export_onnx(model, layout, Numerics(compute="fp16")))
    session = _session(_with_magnitudes(export_onnx(model, layout), names))
    magnitudes = np.zeros(len(names), np.float32)
    for rows in batch.micro_batches(_CELLS):
        part = batch.select(rows)
        encoder = model.encoder
        feed = (
            part.packed()
            if layout == "packed"
            else part.padded(encoder.pad_token_id, encoder.max_positions)
        )
        wanted = {item.name: feed[item.name] for item in session.get_inputs()}
        magnitudes = np.maximum(magnitudes, np.array(session.run(None, wanted)))
    _refuse_beyond_limit(names, magnitudes)
    place = int(magnitudes.argmax())
    return Fp16Range(largest=float(magnitudes[place]), tensor=names[place])


def _refuse_beyond_limit(names: list[str], magnitudes: npt.NDArray[np.float32]) -> None:
    for name, magnitude in zip(names, magnitudes.tolist(), strict=True):
        if not magnitude <= FP16_LIMIT:  # not a number either
            raise PrecisionError(
                f"{name} reaches {magnitude:.6g} on the calibration texts, and FP16 holds no more "
                f"than {FP16_LIMIT:.0f}; build with --precision fp32"
            )


def _fp16_tensors(graph: onnx.ModelProto) -> list[str]:
    """Tensors computed in FP16, as the FP32 graph calls them, in the order of the data."""
    inferred = onnx.shape_inference.infer_shapes(graph, strict_mode=True).graph
    types = {item.name: item.type.tensor_type.elem_type for item in inferred.value_info}
    made = [name for node in inferred.node for name in node.output]
    halves = [name for name in made if types.get(name) == TensorProto.FLOAT16]
    return list(dict.fromkeys(name.removesuffix("/fp16") for name in halves))


def _with_magnitudes(graph: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """The graph with the largest magnitude of each of these tensors, float32 [], as its outputs."""
    del graph.graph.output[:]
    for index, name in enumerate(names):
        absolute, largest = f"magnitudes/{index}", f"magnitudes/{index}/largest"
        graph.graph.node.append(helper.make_node("Abs", [name], [absolute]))
        graph.graph.node.append(helper.make_node("ReduceMax", [absolute], [largest], keepdims=0))
        graph.graph.output.append(helper.make_tensor_value_info(largest, TensorProto.FLOAT, []))
    return graph


def _session(graph: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _WARNINGS_AND_WORSE
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
