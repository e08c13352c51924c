"""Counts of the parts of joined stages, which a server counts itself where each is a model.

A metric is named like `ernie_triton_stage_rows_total`; its labels name the pipeline, the stage, the
model that the stage is in an ensemble, and the process.
"""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from ernie_triton.stage_names import PARTS, stage_name

PART_COUNTS: Mapping[str, str] = {
    "requests": "Requests that a stage of a joined pipeline answered.",
    "runs": "Batches that a stage of a joined pipeline ran.",
    "rows": "Texts, or windows of texts, that a stage of a joined pipeline ran.",
    "tokens": "Tokens that the engine of a joined pipeline ran, without padding.",
    "seconds": "Seconds that a stage of a joined pipeline ran.",
    "request_seconds": "Seconds that requests were in such runs, each run counted once for each.",
}
"""Each count, with its text for Prometheus."""

_SAMPLE = re.compile(r"ernie_triton_stage_(?P<count>\w+)_total\{(?P<labels>.*)\} (?P<value>\S+)")


@dataclass(slots=True, kw_only=True)
class PartSums:
    """Sums of one part since it was loaded, as `PART_COUNTS` names them."""

    requests: float = 0
    runs: float = 0
    rows: float = 0
    tokens: float = 0
    seconds: float = 0
    request_seconds: float = 0


class PartCounts:
    """The sums of all parts; threads may share them."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._sums = {part: PartSums() for part in PARTS}
        self._lock = threading.Lock()

    def add(self, part: str, seconds: float, *, requests: int, rows: int, tokens: int = 0) -> None:
        """Count a batch that a part has run."""
        sums = self._sums[part]
        with self._lock:
            sums.requests += requests
            sums.runs += 1
            sums.rows += rows
            sums.tokens += tokens
            sums.seconds += seconds
            sums.request_seconds += seconds * requests

    def __getitem__(self, part: str) -> PartSums:
        """The sums of one of the `PARTS`."""
        return self._sums[part]


def metric_of(count: str) -> str:
    """The metric's name of one of the `PART_COUNTS`."""
    return f"ernie_triton_stage_{count}_total"


def metric_labels(model: str, part: str, process: int) -> dict[str, str]:
    """The labels of a part's metrics.

    No two processes have the same: tritonserver 2.51 frees a metric with the first model that it
    unloads, whatever others use it too.

    Args:
        model: the pipeline's, which is NAME@BUILD for a build beside another.
        part: one of the `PARTS`.
        process: the id of the stage's.
    """
    pipeline = model.partition("@")[0]
    labels = {"pipeline": pipeline, "stage": part, "model": stage_name(model, part)}
    return {**labels, "process": str(process)}


def sums_of_metrics(text: str, model: str) -> dict[str, PartSums]:
    """The sums of a pipeline's parts by its model, over all processes, from a server's metrics.

    Empty where the pipeline is not joined.
    """
    found: dict[str, PartSums] = {}
    for sample in _SAMPLE.finditer(text):
        labels = dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"]))
        if sample["count"] in PART_COUNTS and labels["model"] == f"{model}_{labels['stage']}":
            sums = found.setdefault(labels["stage"], PartSums())
            so_far = getattr(sums, sample["count"])
            setattr(sums, sample["count"], so_far + float(sample["value"]))
    return found
