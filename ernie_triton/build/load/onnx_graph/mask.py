"""The scale and the mask on attention scores before the softmax, found with random scores."""

import numpy as np

from ernie_triton.arrays import Array
from ernie_triton.build.load.onnx_graph.dataflow import GraphEvaluation
from ernie_triton.build.load.onnx_graph.inputs import PROBE_PADDING
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.errors import UnrecognisedGraphError

_MASKED_BELOW = -1000.0
"""A score lowered below this has no weight after the softmax."""
TOLERANCE = 2e-6
"""Relative difference that the rounding of a few float32 multiplications can cause."""


def proportion(found: Array, given: Array) -> float | None:
    """Return the one positive factor between two arrays; None where there is none."""
    factor = float(found.flat[0]) / float(given.flat[0])
    # A masked score may be the lowest float32, which no factor gives.
    with np.errstate(over="ignore", invalid="ignore"):
        fits = np.isfinite(factor) and factor > 0
        if fits and np.allclose(found, np.float32(factor) * given, rtol=TOLERANCE, atol=0):
            return factor
    return None


def scores_scale(reading: Reading, scores: str, before: str) -> float:
    """Return the factor that scores are multiplied with before the softmax.

    Raises:
        UnrecognisedGraphError: scores of texts without padding change in any other way.
    """
    given, found = _scores_before_softmax(reading, reading.batches.plain, scores, before)
    factor = proportion(found, given)
    if factor is None:
        raise UnrecognisedGraphError(
            f"the {reading.producer(reading.strip(before))}: attention scores of texts without "
            "padding are changed by more than a factor; expected no mask and no bias there"
        )
    return factor


def hidden_pad_ids(reading: Reading, scores: str, before: str) -> frozenset[int]:
    """Find the token ids that the graph's own mask hides; none if it makes no mask.

    Raises:
        UnrecognisedGraphError: a mask hides anything but padding.
    """
    batches = reading.batches
    if batches.masked is not None:
        _hides_padding(reading, batches.masked, scores, before)
    return frozenset(
        pad_id
        for pad_id, batch in batches.padded.items()
        if _hides_padding(reading, batch, scores, before)
    )


def _hides_padding(reading: Reading, batch: GraphEvaluation, scores: str, before: str) -> bool:
    """Return whether the mask hides the padding from all other tokens; False if it hides none."""
    found = _scores_before_softmax(reading, batch, scores, before)[1]
    plain = _scores_before_softmax(reading, reading.batches.plain, scores, before)[1]
    if found.shape[-2] == reading.batches.tokens:  # rows of padding do not matter
        found, plain = (values[..., :-PROBE_PADDING, :] for values in (found, plain))
    if np.allclose(found, plain, rtol=TOLERANCE, atol=0):
        return False
    real, padding = np.s_[..., :-PROBE_PADDING], np.s_[..., -PROBE_PADDING:]
    same = np.allclose(found[real], plain[real], rtol=TOLERANCE, atol=0)
    if same and (found[padding] < _MASKED_BELOW).all():
        return True
    raise UnrecognisedGraphError(
        f"the {reading.producer(reading.strip(before))}: the attention mask hides something else "
        f"than the padding of a text, or hides it too little (scores up to "
        f"{found[padding].max():.4g}); expected below {_MASKED_BELOW:g}"
    )


def _scores_before_softmax(
    reading: Reading, batch: GraphEvaluation, scores: str, before: str
) -> tuple[Array, Array]:
    """Put random scores in; return them and the input of the softmax, in the same shape."""
    given = np.random.default_rng(0).uniform(1, 2, reading.value(scores).shape).astype(np.float32)
    found = batch.value_given(before, {scores: given})
    if found.size != given.size:
        raise UnrecognisedGraphError(
            f"the {reading.producer(reading.strip(before))}: the number of attention scores "
            f"changes from {given.size} to {found.size}; expected each token to see all others"
        )
    return given, found.reshape(given.shape)
