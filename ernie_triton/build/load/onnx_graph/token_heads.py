"""The heads of a graph that score every token: for its label, or as start and end of an answer."""

from dataclasses import dataclass

import numpy as np

from ernie_triton.build.load.onnx_graph.hidden_state import SELECTING, FoundHead, every_token_state
from ernie_triton.build.load.onnx_graph.linear import find_linear, read_activation, read_linear
from ernie_triton.build.load.onnx_graph.norm import read_norm
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.build.model.encoder import Linear
from ernie_triton.build.model.heads import MaskedHead, PointerHead, SpanHead, TokenHead
from ernie_triton.errors import UnrecognisedGraphError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Scores:
    """A linear layer on every token's vector, and the hidden state that it reads."""

    linear: Linear
    hidden: str


def read_token_head(reading: Reading) -> FoundHead:
    """Read a classifier of every token, from one output [texts, tokens, labels].

    Raises:
        UnrecognisedGraphError: the outputs are not the logits of such a classifier alone.
    """
    if len(reading.flow.outputs) != 1:
        raise UnrecognisedGraphError(
            f"the graph has {len(reading.flow.outputs)} outputs "
            f"({', '.join(reading.flow.outputs)}); expected one, the logits of every token"
        )
    scores = _read_rectangle(reading, reading.flow.outputs[0])
    return FoundHead(head=TokenHead(output=scores.linear), hidden=scores.hidden)


def read_span_head(reading: Reading) -> FoundHead:
    """Read the layer of start and end scores.

    The outputs are two of [texts, tokens], or one of [texts, tokens, 2]. The start scores are
    column 0 of the layer, whatever the names and the order of the outputs.

    Raises:
        UnrecognisedGraphError: the outputs are not the start and end scores alone.
    """
    outputs = reading.flow.outputs
    if len(outputs) == 1:
        scores = _read_rectangle(reading, outputs[0])
    elif len(outputs) == 2:
        (first, first_column), (second, second_column) = (
            _read_column(reading, output) for output in outputs
        )
        if first != second or {first_column, second_column} != {0, 1}:
            raise UnrecognisedGraphError(
                f"the outputs {' and '.join(outputs)} are columns {first_column} and "
                f"{second_column} of what the {reading.producer(first)} and the "
                f"{reading.producer(second)} make; expected both columns of one linear layer"
            )
        scores = _read_scores(reading, first)
    else:
        raise UnrecognisedGraphError(
            f"the graph has {len(outputs)} outputs ({', '.join(outputs)}); expected two, the start "
            "and end scores of every token, or one with both"
        )
    if scores.linear.outputs != 2:
        raise UnrecognisedGraphError(
            f"the graph gives {scores.linear.outputs} scores a token; expected two, start and end"
        )
    return FoundHead(head=SpanHead(output=scores.linear), hidden=scores.hidden)


def read_pointer_head(reading: Reading) -> FoundHead:
    """Read the two layers of UIE, from outputs of [texts, tokens], the start scores first.

    Raises:
        UnrecognisedGraphError: the outputs are not the scores of two such layers alone.
    """
    outputs = reading.flow.outputs
    if len(outputs) != 2:
        raise UnrecognisedGraphError(
            f"the graph has {len(outputs)} outputs ({', '.join(outputs)}); expected two, the start "
            "and end scores of every token"
        )
    start, end = (_read_scores(reading, _read_column(reading, output)[0]) for output in outputs)
    if start.linear.outputs != 1 or end.linear.outputs != 1 or start.hidden != end.hidden:
        raise UnrecognisedGraphError(
            f"the outputs {' and '.join(outputs)} are of layers with {start.linear.outputs} and "
            f"{end.linear.outputs} scores; expected one each, of the same vectors"
        )
    weight = np.concatenate([start.linear.weight, end.linear.weight], axis=1)
    bias = np.concatenate([start.linear.bias, end.linear.bias])
    return FoundHead(head=PointerHead(output=Linear(weight=weight, bias=bias)), hidden=start.hidden)


def read_masked_head(reading: Reading) -> FoundHead:
    """Read the layers that score the vocabulary at every token, [texts, tokens, vocabulary].

    Raises:
        UnrecognisedGraphError: the output is not the scores of such layers alone.
    """
    if len(reading.flow.outputs) != 1:
        raise UnrecognisedGraphError(
            f"the graph has {len(reading.flow.outputs)} outputs "
            f"({', '.join(reading.flow.outputs)}); expected one, the scores of the vocabulary"
        )
    output = read_linear(reading, reading.flow.outputs[0])
    norm, source = read_norm(reading, output.source)
    activation, widened = read_activation(reading, source)
    transform = read_linear(reading, widened)
    hidden = every_token_state(reading, transform.source)
    if hidden is None:
        raise UnrecognisedGraphError(
            f"the scores are of what the {reading.producer(transform.source)} makes; expected the "
            "vectors of all tokens, from the last layer normalisation"
        )
    head = MaskedHead(
        transform=transform.linear, activation=activation, norm=norm, output=output.linear
    )
    return FoundHead(head=head, hidden=hidden)


def _read_scores(reading: Reading, name: str) -> _Scores:
    applied = read_linear(reading, name)
    hidden = every_token_state(reading, applied.source)
    if hidden is None:
        raise UnrecognisedGraphError(
            f"the scores are of what the {reading.producer(applied.source)} makes; expected the "
            "vectors of all tokens, from the last layer normalisation"
        )
    return _Scores(linear=applied.linear, hidden=hidden)


def _read_rectangle(reading: Reading, output: str) -> _Scores:
    """Read the scores of every token, [texts, tokens, scores]."""
    scores = _read_scores(reading, output)
    shape = reading.value(output).shape
    texts, tokens = reading.batches.texts, reading.batches.tokens
    if shape != (texts, tokens, scores.linear.outputs):
        raise UnrecognisedGraphError(
            f"the output {output!r} is {list(shape)} for {texts} texts of {tokens} tokens; "
            f"expected [texts, tokens, {scores.linear.outputs}]"
        )
    return scores


def _read_column(reading: Reading, output: str) -> tuple[str, int]:
    """Return the linear layer's output that contains a column, and the column's index."""
    linear = reading.root(
        output,
        SELECTING,
        lambda value: find_linear(reading, value) is not None,
        "the linear layer of start and end scores",
    )
    shape = reading.value(linear).shape
    rectangle = (reading.batches.texts, reading.batches.tokens)
    given = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    found = reading.batches.plain.value_given(output, {linear: given})
    if found.shape == rectangle and given.size == found.size * shape[-1]:
        columns = given.reshape(*rectangle, shape[-1])
        for column in range(shape[-1]):
            if np.array_equal(found, columns[..., column]):
                return linear, column
    raise UnrecognisedGraphError(
        f"the output {output!r} is {list(found.shape)} of the {list(shape)} that the "
        f"{reading.producer(linear)} makes for {rectangle[0]} texts of {rectangle[1]} tokens; "
        "expected one score of every token, as [texts, tokens]"
    )
