"""Merge overlapping windows, taking each token from the window with most context around it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ernie_triton.arrays import Float32, Int32, Outputs, Tensors
from ernie_triton.tasks import NO_SPAN


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowOutputs:
    """One window's engine outputs and spans, with special tokens and padding.

    Attributes:
        outputs: float32 [length, …] by the engine's names.
        spans: int32 [length, 3].
        first_token: the number of the window's first token in the text.
    """

    outputs: Outputs
    spans: Int32
    first_token: int

    @property
    def text_tokens(self) -> slice:
        """The slice of the text's own tokens in the window."""
        places = np.flatnonzero(self.spans[:, 0] != NO_SPAN)
        return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)


def windows_by_text(
    tensors: Tensors, outputs: Sequence[str]
) -> Iterator[tuple[str, list[WindowOutputs]]]:
    """The texts of one request, each with its windows in order."""
    items, firsts = tensors["window"].T
    starts = np.flatnonzero(np.diff(items, prepend=-1)).tolist()
    for start, end in zip(starts, [*starts[1:], len(items)], strict=True):
        windows = [
            WindowOutputs(
                outputs={name: tensors[name][row] for name in outputs},
                spans=tensors["spans"][row],
                first_token=int(firsts[row]),
            )
            for row in range(start, end)
        ]
        yield bytes(tensors["source"][start, 0]).decode("utf-8"), windows


def merge_windows(windows: Sequence[WindowOutputs], output: str) -> tuple[Float32, Int32]:
    """One output of every token of a text, float32 [tokens, …], and the spans, int32 [tokens, 3].

    The first half of an overlap comes from the earlier window, the second from the later one.
    """
    values, spans = [], []
    begin = 0
    for place, window in enumerate(windows):
        tokens = window.text_tokens
        end = window.first_token + tokens.stop - tokens.start
        if place + 1 < len(windows):
            end = (windows[place + 1].first_token + end + 1) // 2
        part = slice(
            tokens.start + begin - window.first_token, tokens.start + end - window.first_token
        )
        values.append(window.outputs[output][part])
        spans.append(window.spans[part])
        begin = end
    return np.concatenate(values), np.concatenate(spans)
