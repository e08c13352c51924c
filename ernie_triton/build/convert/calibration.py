"""Measure the inputs of linear layers on calibration texts, and derive their int8 scales.

The FP32 graph runs once over the texts in ONNX Runtime with the layers' inputs as further outputs.
Of each input a histogram of magnitudes is kept, whatever the number of texts. A calibrator chooses
the magnitude that the largest int8 step stands for; what lies above is clipped.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper

from ernie_triton.batch import TokenBatch

LARGEST_STEP = 127
"""Of symmetric int8: -128 is not used."""

PERCENTILE = 99.99
_BINS = 4096
_WARNINGS_AND_WORSE = 3
_Counts = npt.NDArray[np.float64]


@dataclass(slots=True)
class Magnitudes:
    """A histogram of absolute values from 0 to `limit`, which doubles when a value lies above.

    Bins are merged in pairs then, so that no value is looked at twice.
    """

    limit: float = 0.0
    largest: float = 0.0
    counts: _Counts = field(default_factory=lambda: np.zeros(_BINS))

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Count the magnitudes of an array of any shape."""
        magnitudes = np.abs(values.ravel())
        largest = float(magnitudes.max(initial=0.0))
        self.largest = max(self.largest, largest)
        if not self.limit:
            self.limit = largest
        while self.limit < largest:
            self.counts = np.concatenate([self.counts.reshape(-1, 2).sum(1), np.zeros(_BINS // 2)])
            self.limit *= 2
        if self.limit:
            self.counts += np.histogram(magnitudes, bins=_BINS, range=(0.0, self.limit))[0]


def minmax_limit(seen: Magnitudes) -> float:
    """The largest magnitude: nothing is clipped."""
    return seen.largest


def percentile_limit(seen: Magnitudes) -> float:
    """The magnitude below which `PERCENTILE` of the values lie, to a bin of the histogram."""
    shares = np.cumsum(seen.counts) / max(seen.counts.sum(), 1.0)
    place = int(np.searchsorted(shares, PERCENTILE / 100.0))
    return min((place + 1) * seen.limit / _BINS, seen.largest)


def entropy_limit(seen: Magnitudes) -> float:
    """The magnitude whose clipped and rounded distribution is nearest to the original one.

    Nearest by Kullback-Leibler divergence, tried for every 16th bin from the 128th on: Migacz,
    "8-bit Inference with TensorRT", GTC 2017, slide 38.
    """
    used = int(np.flatnonzero(seen.counts)[-1]) + 1 if seen.counts.any() else 1
    levels = LARGEST_STEP + 1
    tried = range(levels, max(used, levels) + 1, 16)
    best = min(tried, key=lambda bins: _divergence(seen.counts, bins, levels))
    return min(best * seen.limit / _BINS, seen.largest)


LIMITS: Mapping[str, Callable[[Magnitudes], float]] = {
    "minmax": minmax_limit,
    "percentile": percentile_limit,
    "entropy": entropy_limit,
}
"""By the names in `ernie_triton.tasks.CALIBRATORS`."""


def _divergence(counts: _Counts, bins: int, levels: int) -> float:
    """Kullback-Leibler divergence of the first bins, clipped, from themselves in so many levels."""
    clipped = counts[:bins].copy()
    clipped[-1] += counts[bins:].sum()
    kept = counts[:bins]
    # Which level each bin falls into; a level's count is shared evenly by its bins that have any.
    level = np.arange(bins) * levels // bins
    filled = kept > 0
    totals = np.bincount(level, kept, levels)
    members = np.bincount(level, filled, levels)
    rounded = np.where(filled, (totals / np.maximum(members, 1))[level], 0.0)
    if not rounded.sum():
        return np.inf
    p, q = clipped / clipped.sum(), rounded / rounded.sum()
    both = (p > 0) & (q > 0)
    # Mass where the rounded distribution has none is infinitely far; a small floor orders those.
    floor = 1e-10
    missing = (p > 0) & (q == 0)
    terms = np.sum(p[both] * np.log(p[both] / q[both]))
    return float(terms + np.sum(p[missing] * np.log(p[missing] / floor)))


def observed(
    graph: onnx.ModelProto,
    tensors: Iterable[str],
    batches: Iterable[TokenBatch],
    feed: Callable[[TokenBatch], Mapping[str, npt.NDArray[np.int32]]],
) -> dict[str, Magnitudes]:
    """The magnitudes of some tensors of a float graph over calibration texts.

    Args:
        graph: whose float32 tensors are observed.
        tensors: their names.
        batches: the texts, a few rows at a time.
        feed: a batch as the inputs of the graph.
    """
    names = sorted(set(tensors))
    session = _session_with_outputs(graph, names)
    inputs = {item.name for item in session.get_inputs()}
    seen = {name: Magnitudes() for name in names}
    for batch in batches:
        values = {key: value for key, value in feed(batch).items() if key in inputs}
        for name, tensor in zip(names, session.run(names, values), strict=True):
            seen[name].add(tensor)
    return seen


def input_scales(
    linears: Mapping[str, str], seen: Mapping[str, Magnitudes], calibrator: str
) -> dict[str, float]:
    """The scale of each linear layer's int8 input: its limit over the largest step.

    Args:
        linears: the tensor that each layer reads, by the layer's name.
        seen: what `observed` found of these tensors.
        calibrator: one of `LIMITS`.
    """
    limit = LIMITS[calibrator]
    limits = {tensor: limit(seen[tensor]) for tensor in set(linears.values())}
    # A tensor that is 0 on every text: any scale holds it.
    return {name: (limits[tensor] or 1.0) / LARGEST_STEP for name, tensor in linears.items()}


def _session_with_outputs(
    graph: onnx.ModelProto, names: Sequence[str]
) -> onnxruntime.InferenceSession:
    known = {output.name for output in graph.graph.output}
    further = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in names
        if name not in known
    ]
    graph.graph.output.extend(further)
    try:
        content = graph.SerializeToString()
    finally:
        del graph.graph.output[len(known) :]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _WARNINGS_AND_WORSE
    # Every batch has other shapes: the arena would keep a block for each.
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
