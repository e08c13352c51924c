"""Find stages that Triton has given up though their processes live, by Triton's metrics.

Triton fails the requests of a stage that shows no life for a second ("Stub process … is not
healthy"), and writes no line of it. If such a stage goes on, tritonserver 2.51 crashes or gives its
late answers to others. The stages of this project answer every request, also those that they
refuse. So a failure that Triton counts for its backend is one that the stage knows nothing of.
"""

import re
import time
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException

_LOOK_EVERY_S = 0.5
_PAUSE_S = 5.0
"""Before the next look where Triton does not answer."""

_TIMEOUT_S = 0.3
_FAILURES = re.compile(r"^nv_inference_request_failure\{(.*)\} (\d+)$", re.MULTILINE)
_MODEL = re.compile(r'model="([^"]+)"')


class GivenUpStages:
    """The models whose requests failed in Triton's backend since the last look."""

    def __init__(self, metrics_url: str) -> None:
        """Look at once, so that earlier failures do not count.

        Args:
            metrics_url: of Triton's metrics; nothing is found where they cannot be read.
        """
        self._url = metrics_url
        # A proxy of the environment is not for a server of one's own.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._next_look = float("-inf")
        self._before: Mapping[str, int] | None = None
        self.stages()

    def stages(self) -> frozenset[str]:
        """The names of these models; Triton is asked twice a second at most."""
        now = time.monotonic()
        if now < self._next_look:
            return frozenset()
        try:
            with self._opener.open(self._url, timeout=_TIMEOUT_S) as reply:
                failures = _backend_failures(reply.read().decode())
        except (OSError, HTTPException):
            self._next_look = now + _PAUSE_S
            return frozenset()
        self._next_look = now + _LOOK_EVERY_S
        before, self._before = self._before, failures
        if before is None:
            return frozenset()
        return frozenset(name for name, count in failures.items() if count > before.get(name, 0))


def _backend_failures(metrics: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for labels, count in _FAILURES.findall(metrics):
        model = _MODEL.search(labels)
        if model is not None and 'reason="BACKEND"' in labels:
            counts[model[1]] = counts.get(model[1], 0) + int(count)
    return counts
