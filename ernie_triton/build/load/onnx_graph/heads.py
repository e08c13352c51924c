"""The head of a graph's task: from its outputs back to the encoder's last hidden state."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ernie_triton.build.load.onnx_graph.hidden_state import FoundHead
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.build.load.onnx_graph.sequence_head import read_sequence_head
from ernie_triton.build.load.onnx_graph.token_heads import read_span_head, read_token_head
from ernie_triton.build.load.onnx_graph.vector_head import read_vector_head
from ernie_triton.errors import OtherTaskError, UnrecognisedGraphError
from ernie_triton.tasks import TASKS

_READERS: Mapping[str, Callable[[Reading], FoundHead]] = MappingProxyType(
    {
        "sequence": read_sequence_head,
        "token": read_token_head,
        "span": read_span_head,
        "vector": read_vector_head,
    }
)
_DOINGS = MappingProxyType(
    {
        "sequence": "scores whole texts",
        "token": "scores every token",
        "span": "scores every token as the start and the end of an answer",
        "vector": "gives vectors and no scores",
    }
)


def read_head(reading: Reading, task_head: str) -> FoundHead:
    """The head of a kind (`Task.head`), from the graph's outputs.

    Raises:
        OtherTaskError: the outputs are those of another task, which the message names.
        UnrecognisedGraphError: the outputs are not those of such a head alone.
    """
    try:
        return _READERS[task_head](reading)
    except UnrecognisedGraphError as error:
        others = [kind for kind in _READERS if kind != task_head and _is_read(reading, kind)]
        if not others:
            raise
        tasks = [task.name for task in TASKS.values() if task.head in others]
        raise OtherTaskError(
            f"the graph {', or '.join(_DOINGS[kind] for kind in others)}; "
            f"build it with --task {' or '.join(tasks)}"
        ) from error


def _is_read(reading: Reading, task_head: str) -> bool:
    try:
        _READERS[task_head](reading)
    except UnrecognisedGraphError:
        return False
    return True
