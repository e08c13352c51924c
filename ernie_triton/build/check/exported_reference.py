"""The outputs of an exported graph, run by ONNX Runtime, and the form of every reference."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from ernie_triton.build.check.vector_reference import vector_of_outputs
from ernie_triton.build.load.source import Source
from ernie_triton.build.model.encoder import AttendedPadding
from ernie_triton.build.model.heads import Cut, MaskedHead, VectorHead
from ernie_triton.build.model.models import Model
from ernie_triton.engines.onnx_runtime import exact_options
from ernie_triton.errors import CheckpointError
from ernie_triton.tasks import Task

RowTokens = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]
"""Token ids and token type ids of one text, int32 [tokens] each."""

_WARNINGS_AND_WORSE = 3
_TYPES = {
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(float)": np.float32,
    "tensor(bool)": np.bool_,
}
_NARROW = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A way to get the source's own outputs.

    Attributes:
        name: what computed them, for people.
        outputs: of one row of tokens, float, by the names of the task's engine outputs.
        is_narrow: it computes with numbers of 16 bits.
        is_graph: it is a graph, which may read padding otherwise than it should.
    """

    name: str
    outputs: Callable[[RowTokens], Mapping[str, npt.NDArray[Any]]]
    is_narrow: bool = False
    is_graph: bool = False


def exported_reference(source: Source, graph: onnx.ModelProto, task: Task) -> Reference:
    """Return the outputs of an exported graph for one row at a time.

    Raises:
        CheckpointError: ONNX Runtime cannot load it, or it takes inputs that are not known.
    """
    options = exact_options()
    options.log_severity_level = _WARNINGS_AND_WORSE
    try:
        session = onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exceptions have no common class
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"ONNX Runtime cannot load {source.path}: {reason}") from error
    inputs = session.get_inputs()
    _check_inputs([item.name for item in inputs], source)
    model = source.model
    head = _head_behind_outputs(source, model.head) if isinstance(model, Model) else None
    pad = model.pad_token_id if model is not None else 0
    padding = model.encoder.padding if isinstance(model, Model) else None
    length = source.fixed_length if padding is None else padding.row_tokens

    def outputs(row: RowTokens) -> Mapping[str, npt.NDArray[Any]]:
        tokens = len(row[0])
        values = _values(row) if padding is None else _with_whole_padding(row, padding, pad)
        feed = {
            item.name: _shaped(
                values[item.name], item.shape, pad if item.name == "input_ids" else 0
            ).astype(_TYPES[item.type])
            for item in inputs
        }
        found = [_of_row(output[0], tokens, length) for output in session.run(None, feed)]
        if task.head == "span" and len(found) == 1:
            found = [found[0][:, 0], found[0][:, 1]]
        if isinstance(head, MaskedHead):
            found = [found[0][mask_place(row[0], head.mask_id)]]
        if isinstance(head, VectorHead):
            return {"vector": vector_of_outputs(head, found)}
        return dict(zip(names, found, strict=False))

    names = [tensor.name for tensor in task.engine_outputs]
    return Reference(
        name=f"the exported graph in ONNX Runtime {onnxruntime.__version__}",
        outputs=outputs,
        is_narrow=any(one.data_type in _NARROW for one in graph.graph.initializer),
        is_graph=True,
    )


def mask_place(ids: npt.NDArray[np.int32], mask_id: int) -> int:
    """Return the place of the token that a row is about: its last mask, or else its first token."""
    places = np.flatnonzero(ids == mask_id)
    return int(places[-1]) if len(places) else 0


def _values(row: RowTokens) -> Mapping[str, npt.NDArray[Any]]:
    ids, token_types = row
    return {
        "input_ids": ids,
        "token_type_ids": token_types,
        "attention_mask": np.ones_like(ids),
        "position_ids": np.arange(len(ids)),
    }


def _with_whole_padding(
    row: RowTokens, padding: AttendedPadding, pad: int
) -> Mapping[str, npt.NDArray[Any]]:
    """Return the inputs for a row with all the padding that its last token stands for."""
    real = row[0] != padding.token_id
    filler = (0, max(padding.row_tokens - len(real), 0))
    ids = np.pad(np.where(real, row[0], pad), filler, constant_values=pad)
    positions = np.pad(np.arange(len(real)) * real, filler)
    types = np.pad(row[1], filler)
    return {**_values((ids.astype(np.int32), types)), "position_ids": positions}


def _check_inputs(names: Sequence[str], source: Source) -> None:
    known = _values((np.zeros(1, np.int32), np.zeros(1, np.int32)))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise CheckpointError(
            f"the graph in {source.path} takes {unknown[0]!r}; expected only {', '.join(known)}"
        )


def _head_behind_outputs(source: Source, head: object) -> object:
    """Return the part of a head that the graph's outputs do not have yet."""
    if source.pooled_in_graph and isinstance(head, VectorHead):
        rest = tuple(layer for layer in head.layers if isinstance(layer, Cut))
        return dataclasses.replace(head, layers=rest)
    return head


def _shaped(values: npt.NDArray[Any], shape: Sequence[object], fill: int) -> npt.NDArray[Any]:
    """Return one row as the graph takes it: as long and as often as its fixed dimensions say."""
    rows, length = (size if isinstance(size, int) else 0 for size in shape)
    padded = np.pad(values, (0, max(length - len(values), 0)), constant_values=fill)
    return np.repeat(padded[None], max(rows, 1), axis=0)


def _of_row(output: npt.NDArray[Any], tokens: int, fixed_length: int) -> npt.NDArray[Any]:
    """Return an output without the padding of rows of one length; 0 where they have none."""
    values = np.asarray(output)
    is_per_token = fixed_length and values.ndim and len(values) == fixed_length
    return values[:tokens] if is_per_token else values
