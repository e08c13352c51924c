"""The engine file of a pipeline, from its graph, as `ernie_triton.engines` loads it."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import openvino
from onnx import helper
from openvino import opset13

from ernie_triton.build.convert.quantized_graph import check_quantized_graph
from ernie_triton.engines import ENGINE_FILES
from ernie_triton.errors import EngineError, UnrecognisedGraphError

_ADAPTABLE_INPUTS = {"input_ids", "token_type_ids", "attention_mask"}
_INTEGERS = {onnx.TensorProto.INT32, onnx.TensorProto.INT64}
_TURNED_KEYS = [0, 2, 3, 1]
_KEYS = [0, 2, 1, 3]
_AS_GIVEN = {"transpose_a": False, "transpose_b": False}


def write_engine(
    graph: onnx.ModelProto, engine: str, folder: Path, *, halve_weights: bool = False
) -> list[Path]:
    """Write the file that a runtime loads, or that TensorRT builds its plan from.

    Args:
        graph: in the numbers that the engine computes in.
        engine: one of `ernie_triton.tasks.ENGINES`.
        folder: where to.
        halve_weights: store float32 weights as float16, for an engine that computes in no more
            bits (openvino): half the memory too, since the file stays mapped.

    Returns:
        The files written, the one that is loaded first.

    Raises:
        EngineError: the runtime cannot read the graph.
    """
    path = folder / ENGINE_FILES[engine]
    if engine != "openvino":
        onnx.save(graph, path)
        return [path]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        source = Path(scratch) / "model.onnx"
        onnx.save(graph, source)
        try:
            model = openvino.Core().read_model(source)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot read the graph: {error}") from error
        _multiply_keys_as_they_lie(model)
        openvino.save_model(model, path, compress_to_fp16=halve_weights)
        del model  # it maps the scratch file
    return [path, path.with_suffix(".bin")]


def _multiply_keys_as_they_lie(model: openvino.Model) -> None:
    """Let products take keys by rows, which ONNX cannot say: OpenVINO then makes no turned copy."""
    for product in model.get_ops():
        if product.get_type_name() != "MatMul" or product.get_attributes() != _AS_GIVEN:
            continue
        turned = product.input_value(1).get_node()
        if turned.get_type_name() != "Transpose":
            continue
        order = turned.input_value(1).get_node()
        if order.get_type_name() != "Constant" or order.data.tolist() != _TURNED_KEYS:
            continue
        keys = opset13.transpose(turned.input_value(0), opset13.constant(np.array(_KEYS)))
        scores = opset13.matmul(product.input_value(0), keys, False, True)
        for new, old in ((keys, turned), (scores, product)):
            new.set_friendly_name(old.get_friendly_name())
        for reader in product.output(0).get_target_inputs():
            reader.replace_source_output(scores.output(0))


def adopt_graph(graph: onnx.ModelProto, outputs: tuple[str, ...]) -> onnx.ModelProto:
    """An exported graph as it came, with our names on its outputs; it is served padded.

    Raises:
        UnrecognisedGraphError: its inputs or outputs are not those of a sequence classifier.
    """
    check_quantized_graph(graph)
    constants = {item.name for item in graph.graph.initializer}
    inputs = [item for item in graph.graph.input if item.name not in constants]
    unknown = [
        item.name
        for item in inputs
        if item.name not in _ADAPTABLE_INPUTS or item.type.tensor_type.elem_type not in _INTEGERS
    ]
    if unknown or len(graph.graph.output) != len(outputs):
        raise UnrecognisedGraphError(
            f"the graph has the inputs {[item.name for item in inputs]} and "
            f"{len(graph.graph.output)} outputs; it can be served as it came with integer inputs "
            f"out of {sorted(_ADAPTABLE_INPUTS)} and {len(outputs)} output(s)"
        )
    fixed = [d.dim_value for item in inputs for d in item.type.tensor_type.shape.dim if d.dim_value]
    if fixed:
        raise UnrecognisedGraphError(
            f"the graph takes rows of the fixed shape {fixed}; export it with dynamic axes"
        )
    ranks = [len(output.type.tensor_type.shape.dim) for output in graph.graph.output]
    if outputs == ("vector",) and ranks != [2]:
        raise UnrecognisedGraphError(
            "the graph gives no vector of each text, and its hidden states cannot be pooled; "
            "export it with its pooling, or give the checkpoint that was exported"
        )
    adopted = onnx.ModelProto()
    adopted.CopyFrom(graph)
    for output, name in zip(adopted.graph.output, outputs, strict=True):
        if output.name != name:
            adopted.graph.node.append(helper.make_node("Identity", [output.name], [name]))
            output.name = name
    return adopted
