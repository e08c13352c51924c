"""What happens to attention scores before the softmax, told by sending random ones through."""

import numpy as np

from ernie_triton.arrays import Array
from ernie_triton.build.load.onnx_graph.inputs import PROBE_PADDING
from ernie_triton.build.load.onnx_graph.probe import Probe
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.errors import UnrecognisedGraphError

_CLOSED = -1000.0
"""A score lowered to this has no weight after the softmax."""
TOLERANCE = 2e-6
"""Relative; the rounding of a few float32 multiplications."""


def proportion(found: Array, given: Array) -> float | None:
    """The positive factor between two arrays, or None where there is no one factor for all."""
    factor = float(found.flat[0]) / float(given.flat[0])
    # A closed score may be the lowest float32, and no factor fits it.
    with np.errstate(over="ignore", invalid="ignore"):
        fits = np.isfinite(factor) and factor > 0
        if fits and np.allclose(found, np.float32(factor) * given, rtol=TOLERANCE, atol=0):
            return factor
    return None


def scores_scale(reading: Reading, scores: str, before: str) -> float:
    """The factor that is put on scores before the softmax.

    Raises:
        UnrecognisedGraphError: anything else is done to those of texts without padding.
    """
    given, found = _sent_through(reading, reading.probes.plain, scores, before)
    factor = proportion(found, given)
    if factor is None:
        raise UnrecognisedGraphError(
            f"the {reading.producer(reading.strip(before))}: attention scores of texts without "
            "padding are changed by more than a factor; expected no mask and no bias there"
        )
    return factor


def hidden_pad_ids(reading: Reading, scores: str, before: str) -> frozenset[int]:
    """The token ids that the mask made in the graph hides; none if no mask is made there.

    Raises:
        UnrecognisedGraphError: a mask hides anything but the padding of a text.
    """
    probes = reading.probes
    if probes.masked is not None:
        _hides_padding(reading, probes.masked, scores, before)
    return frozenset(
        pad_id
        for pad_id, probe in probes.padded.items()
        if _hides_padding(reading, probe, scores, before)
    )


def _hides_padding(reading: Reading, probe: Probe, scores: str, before: str) -> bool:
    """Whether the mask closes the padded tokens to all others; False if it closes none."""
    found = _sent_through(reading, probe, scores, before)[1]
    plain = _sent_through(reading, reading.probes.plain, scores, before)[1]
    if found.shape[-2] == reading.probes.tokens:  # what padding itself sees does not matter
        found, plain = (values[..., :-PROBE_PADDING, :] for values in (found, plain))
    if np.allclose(found, plain, rtol=TOLERANCE, atol=0):
        return False
    real, padding = np.s_[..., :-PROBE_PADDING], np.s_[..., -PROBE_PADDING:]
    same = np.allclose(found[real], plain[real], rtol=TOLERANCE, atol=0)
    if same and (found[padding] < _CLOSED).all():
        return True
    raise UnrecognisedGraphError(
        f"the {reading.producer(reading.strip(before))}: the attention mask hides something else "
        f"than the padding of a text, or hides it too little (scores up to "
        f"{found[padding].max():.4g}); expected below {_CLOSED:g}"
    )


def _sent_through(reading: Reading, probe: Probe, scores: str, before: str) -> tuple[Array, Array]:
    """Random scores, and what comes of them before the softmax, in the same shape."""
    given = np.random.default_rng(0).uniform(1, 2, reading.value(scores).shape).astype(np.float32)
    found = probe.value_given(before, {scores: given})
    if found.size != given.size:
        raise UnrecognisedGraphError(
            f"the {reading.producer(reading.strip(before))}: attention scores change their number "
            f"from {given.size} to {found.size}; expected each token to see all others"
        )
    return given, found.reshape(given.shape)
