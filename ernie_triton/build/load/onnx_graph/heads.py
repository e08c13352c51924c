"""The head of a graph: found by its task, read from the outputs back to the hidden state."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ernie_triton.build.load.onnx_graph.hidden_state import (
    FoundHead,
    first_token_source,
    is_selection,
    selected_from,
)
from ernie_triton.build.load.onnx_graph.linear import read_activation, read_linear
from ernie_triton.build.load.onnx_graph.norm import find_norm
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.build.load.onnx_graph.token_heads import (
    read_masked_head,
    read_pointer_head,
    read_span_head,
    read_token_head,
)
from ernie_triton.build.load.onnx_graph.vector_head import read_vector_head
from ernie_triton.build.model.heads import ChoiceHead, SequenceHead
from ernie_triton.errors import OtherTaskError, UnrecognisedGraphError
from ernie_triton.tasks import TASKS


def read_head(reading: Reading, task_head: str) -> FoundHead:
    """Read the head of a kind (`Task.head`) from the graph's outputs.

    Raises:
        OtherTaskError: the outputs belong to another task, which the message names.
        UnrecognisedGraphError: the outputs are not those of such a head alone.
    """
    try:
        return _READERS[task_head](reading)
    except UnrecognisedGraphError as error:
        # Two layers may be those of an answer as well: their sigmoids, if any, are off by now.
        # One score of a text may be an option's too: the graph's inputs tell.
        not_told = {task_head, "choice"} | ({"pointer"} if task_head == "span" else set())
        others = [kind for kind in _READERS.keys() - not_told if _can_read(reading, kind)]
        if not others:
            raise
        tasks = [task.name for task in TASKS.values() if task.head in others]
        raise OtherTaskError(
            f"the graph {', or '.join(_OUTPUTS[kind] for kind in others)}; "
            f"build it with --task {' or '.join(tasks)}"
        ) from error


def _can_read(reading: Reading, task_head: str) -> bool:
    try:
        _READERS[task_head](reading)
    except UnrecognisedGraphError:
        return False
    return True


def read_sequence_head(reading: Reading) -> FoundHead:
    """Read a classifier of whole texts.

    Raises:
        UnrecognisedGraphError: the outputs are not the logits of such a classifier alone.
    """
    if len(reading.flow.outputs) != 1:
        raise UnrecognisedGraphError(
            f"the graph has {len(reading.flow.outputs)} outputs "
            f"({', '.join(reading.flow.outputs)}); expected one, the logits"
        )
    output = read_linear(reading, reading.flow.outputs[0])
    hidden = first_token_source(reading, output.source)
    if hidden is not None:
        head = SequenceHead(pooler=None, pooler_activation="identity", output=output.linear)
        return FoundHead(head=head, hidden=hidden)
    if find_norm(reading, output.source) is not None:
        raise UnrecognisedGraphError(
            f"the classifier reads all that the {reading.producer(output.source)} makes; expected "
            "the first token of each text alone"
        )
    if is_selection(reading, output.source):
        raise _not_first_token(reading, output.source)
    activation, pooled = read_activation(reading, output.source)
    pooler = read_linear(reading, pooled)
    hidden = first_token_source(reading, pooler.source)
    if hidden is None:
        raise _not_first_token(reading, pooler.source)
    head = SequenceHead(pooler=pooler.linear, pooler_activation=activation, output=output.linear)
    return FoundHead(head=head, hidden=hidden)


def read_choice_head(reading: Reading) -> FoundHead:
    """Read a classifier of an option in its text, from a graph of single rows.

    Raises:
        UnrecognisedGraphError: the output is not one score of each row.
    """
    found = read_sequence_head(reading)
    head = found.head
    if not isinstance(head, SequenceHead) or head.output.outputs != 1:
        raise UnrecognisedGraphError(
            "the graph gives several scores of each row; expected one, of an option"
        )
    alone = ChoiceHead(
        pooler=head.pooler, pooler_activation=head.pooler_activation, output=head.output
    )
    return FoundHead(head=alone, hidden=found.hidden)


def _not_first_token(reading: Reading, name: str) -> UnrecognisedGraphError:
    origins = " and ".join(f"the {reading.producer(n)}" for n in selected_from(reading, name))
    return UnrecognisedGraphError(
        f"the classifier reads, by the {reading.producer(name)}, what {origins} makes; expected "
        "the first token's vector of a layer normalisation's output"
    )


_READERS: Mapping[str, Callable[[Reading], FoundHead]] = MappingProxyType(
    {
        "sequence": read_sequence_head,
        "choice": read_choice_head,
        "token": read_token_head,
        "span": read_span_head,
        "pointer": read_pointer_head,
        "vector": read_vector_head,
        "masked": read_masked_head,
    }
)
_OUTPUTS = MappingProxyType(
    {
        "sequence": "scores whole texts",
        "token": "scores every token",
        "span": "scores every token as the start and the end of an answer",
        "pointer": "scores every token as a start and an end by two layers",
        "vector": "gives vectors and no scores",
        "masked": "scores the vocabulary in the place of every token",
    }
)
