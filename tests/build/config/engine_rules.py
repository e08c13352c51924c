"""What Triton's backends ask of an engine's configuration, by the graph that it runs.

Written from the backends' sources, apart from the code that writes the configurations.
"""

from collections import Counter

import onnx
from onnx import TensorProto
from tritonclient.grpc import model_config_pb2 as pb

GRAPH_TYPES = {
    TensorProto.INT32: pb.TYPE_INT32,
    TensorProto.INT64: pb.TYPE_INT64,
    TensorProto.FLOAT: pb.TYPE_FP32,
    TensorProto.FLOAT16: pb.TYPE_FP16,
}
BATCH_INPUT_TYPES = (pb.TYPE_INT32, pb.TYPE_FP32)
ANY = -1

Tensor = tuple[int, list[int]]
"""Data type, and dims with -1 for those that change from run to run."""


def graph_tensors(tensors: object) -> dict[str, Tensor]:
    """A graph's inputs or outputs as Triton sees them."""
    found = {}
    for tensor in tensors:  # type: ignore[attr-defined]
        kind = tensor.type.tensor_type
        dims = [dim.dim_value if dim.HasField("dim_value") else ANY for dim in kind.shape.dim]
        found[tensor.name] = (GRAPH_TYPES[kind.elem_type], dims)
    return found


def assert_engine_fits(config: pb.ModelConfig, graph: onnx.ModelProto) -> None:
    """A C++ backend would load the graph with this configuration, and split its outputs rightly."""
    inputs, outputs = graph_tensors(graph.graph.input), graph_tensors(graph.graph.output)
    assert config.max_batch_size > 0
    fed = Counter(tensor.name for tensor in config.input)
    fed.update(name for item in config.batch_input for name in item.target_name)
    assert fed == Counter(list(inputs))  # each exactly once
    for tensor in config.input:
        kind, dims = inputs[tensor.name]
        assert tensor.data_type == kind
        if tensor.allow_ragged_batch:
            assert (list(tensor.dims), dims) == ([ANY], [ANY])
        else:
            assert dims == [ANY, *tensor.dims]
    for batch_input in config.batch_input:
        _assert_batch_input_comes_right(config, batch_input, inputs)
    assert {tensor.name for tensor in config.output} == set(outputs)
    scattered = {name: item for item in config.batch_output for name in item.target_name}
    assert set(scattered) <= set(outputs)
    for output in config.output:
        kind, dims = outputs[output.name]
        assert output.data_type == kind
        if output.name in scattered:
            _assert_tokens_return(config, scattered[output.name], output, dims)
        else:
            assert dims == [ANY, *output.dims]
            # Rows are split by the request's number of them, so no dim may be of other requests.
            assert not any(t.allow_ragged_batch for t in config.input) or ANY not in output.dims


def _assert_batch_input_comes_right(
    config: pb.ModelConfig, batch_input: pb.BatchInput, inputs: dict[str, Tensor]
) -> None:
    """One number of each row, or a shape that no row is longer than: others count requests."""
    (target,) = batch_input.target_name
    assert (
        batch_input.kind
        == {
            "lengths": pb.BatchInput.BATCH_ITEM_SHAPE_FLATTEN,
            "width": pb.BatchInput.BATCH_MAX_ELEMENT_COUNT_AS_SHAPE,
        }[target]
    )
    assert batch_input.data_type in BATCH_INPUT_TYPES
    assert inputs[target] == (batch_input.data_type, [ANY])
    (source,) = batch_input.source_input
    (tensor,) = (tensor for tensor in config.input if tensor.name == source)
    assert tensor.allow_ragged_batch
    # FLATTEN gives every dim of an item's shape: one dim, one number.
    assert list(tensor.dims) == [ANY]


def _assert_tokens_return(
    config: pb.ModelConfig, item: pb.BatchOutput, output: pb.ModelOutput, dims: list[int]
) -> None:
    """The [rows, length] of the request replaces the -1s, and the graph has as many elements."""
    assert item.kind == pb.BatchOutput.BATCH_SCATTER_WITH_INPUT_SHAPE
    assert len(item.target_name) == 1  # the backends read the first alone
    (source,) = item.source_input
    (tensor,) = (tensor for tensor in config.input if tensor.name == source)
    assert tensor.allow_ragged_batch
    scattered = [ANY, *output.dims]
    assert scattered[:2] == [ANY, ANY]
    assert ANY not in scattered[2:]
    assert dims == [ANY, *scattered[2:]]
