"""The counts of a joined pipeline's parts, from a server's metrics."""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping

from ernie_triton.client.statistics import StageCounts, StatisticsClient
from ernie_triton.stages.part_counts import PartSums, sums_of_metrics

_TIMEOUT_S = 5.0
_UPDATED_S = 1.1
"""The stage tells its counts once a second."""


def part_sums(metrics_url: str, pipeline: str) -> Mapping[str, PartSums]:
    """The sums of each part; empty where the metrics are closed or do not tell."""
    try:
        with urllib.request.urlopen(metrics_url, timeout=_TIMEOUT_S) as reply:
            return sums_of_metrics(reply.read().decode(), pipeline)
    except (ValueError, urllib.error.URLError, http.client.HTTPException, OSError):
        return {}


def joined_counts(
    statistics: StatisticsClient, metrics_url: str, pipeline: str
) -> Mapping[str, StageCounts]:
    """The counts of each part of a pipeline that computes nothing now; waits until they are told.

    The first part has the pipeline's queue. The last has as output the time that no part computed:
    it went into tensors.

    Args:
        statistics: of the server.
        metrics_url: of the server.
        pipeline: the model.

    Returns:
        The counts by part, or of the one model where the metrics do not tell.

    Raises:
        ClientError: the server is away.
    """
    if not part_sums(metrics_url, pipeline):
        return statistics.counts((pipeline,))
    time.sleep(_UPDATED_S)
    whole = statistics.counts((pipeline,))[pipeline]
    sums = part_sums(metrics_url, pipeline)
    computed_ns = sum(int(one.request_seconds * 1e9) for one in sums.values())
    output_ns = whole.output_ns + whole.compute_ns - computed_ns
    return {
        part: StageCounts(
            requests=int(one.requests),
            failures=0,
            rows=int(one.rows),
            executions=int(one.runs),
            queue_ns=whole.queue_ns if part == "tokenizer" else 0,
            input_ns=whole.input_ns if part == "tokenizer" else 0,
            compute_ns=int(one.request_seconds * 1e9),
            output_ns=output_ns if part == "postprocess" else 0,
        )
        for part, one in sums.items()
    }
