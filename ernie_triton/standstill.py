"""Notice that this process stood still while it had requests, and end it before it answers.

Triton gives a stage's requests up when the stage's process shows no life for a second: it was
stopped, or the machine was too busy to run it. If that process goes on, it sends the answer all the
same. tritonserver 2.51 takes it for the answer of the next request: it crashes, or another request
gets a wrong answer (both were seen). A process that ends instead is brought back by the supervisor,
as every dead stage is. It cannot help where a request came while the process stood still and was
given up before the process went on: Triton's own code touches freed memory then.
"""

import os
import threading
import time

_TICK_S = 0.2

STANDSTILL_S = 0.5
"""A process that ran at no time for so long may have been given up. Its sign of life comes every
0.3 s, and Triton waits for one for a second."""

STOOD_STILL_CODE = 75
"""Of a process that ends because it stood still; `EX_TEMPFAIL` of sysexits.h."""


class Standstill:
    """A thread that looks at the clock, and the last time that it came too late."""

    def __init__(self) -> None:
        """Start to look; the thread ends with the process."""
        self._looked_at = time.monotonic()
        self._since = self._until = float("-inf")
        threading.Thread(target=self._look, name="standstill", daemon=True).start()

    def seconds_since(self, start: float) -> float:
        """Seconds that the process stood still after `start`, of `time.monotonic`; 0 if it ran.

        Requests may have come while it stood still, and were read as it went on. So a time that
        ended shortly before `start` counts.
        """
        still = time.monotonic() - self._looked_at - _TICK_S  # it may not have looked again yet
        if still >= STANDSTILL_S:
            return still
        return self._until - self._since if self._until >= start - STANDSTILL_S else 0.0

    def _look(self) -> None:
        while True:
            self._looked_at = time.monotonic()
            time.sleep(_TICK_S)
            now = time.monotonic()
            if now - self._looked_at - _TICK_S >= STANDSTILL_S:
                self._since, self._until = self._looked_at + _TICK_S, now


def end_process(model: str, still_s: float) -> None:
    """End this process without an answer, and say why in the server's log."""
    line = (
        f"{model} stood still for {still_s:.1f} s while it had requests, which Triton may have "
        f"given up; it ends, so that no other request gets their answers\n"
    )
    os.write(2, line.encode())
    os._exit(STOOD_STILL_CODE)
