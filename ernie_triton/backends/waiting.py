"""A bound on the requests of an ensemble that wait for its engine, kept by our own stages.

Triton's own bound is not used in an ensemble: tritonserver 2.51 crashes when requests that it
refused there, or that were cancelled, are cleaned up (seen after one burst). So the tokenizer
refuses instead. The engine's process writes the last request that it took to a file. Requests reach
it in the order of the tokenizer's answers, so everything before that one has gone, whether it was
answered or its client gave up.
"""

import json
import mmap
import os
import struct
import sys
import time
import zlib
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from ernie_triton.arrays import Array
from ernie_triton.request_counts import COUNTS_FOLDER

FORGET_S = 2.0
"""A request that waits for longer while the engine takes none is no longer counted: clients that
gave up leave no trace."""

_LAYOUT = struct.Struct("<QQ")


def mark_of(request_id: str, input_ids: Array) -> int:
    """A number by which both stages know a request."""
    return zlib.crc32(input_ids.tobytes(), zlib.crc32(request_id.encode())) + 1


class TakenRequests:
    """The file with the engine's count of requests taken, and the mark of the last."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it.

        Raises:
            OSError: it cannot be made.
        """
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with path.open("a+b") as file:
            if file.seek(0, os.SEEK_END) < _LAYOUT.size:
                file.truncate(_LAYOUT.size)
            self._file = mmap.mmap(file.fileno(), _LAYOUT.size)

    def read(self) -> tuple[int, int]:
        """The count, and the mark of the last."""
        count, mark = _LAYOUT.unpack_from(self._file)
        return count, mark

    def add(self, count: int, mark: int) -> None:
        """Count requests that the engine takes now."""
        _LAYOUT.pack_into(self._file, 0, self.read()[0] + count, mark)


class WaitingRequests:
    """The requests that the tokenizer passed on and the engine has not taken.

    Attributes:
        most: so many may wait.
    """

    def __init__(self, taken: TakenRequests, most: int) -> None:
        """Start with none."""
        self._taken = taken
        self.most = most
        self._seen = taken.read()[0]
        self._waiting: deque[tuple[int, float]] = deque()
        self._last_taken_s = time.monotonic()

    def room(self) -> int:
        """The requests that may be passed on now; no bound for an engine of Triton's own."""
        if not self._taken.read()[0]:  # our engine's stage counts its warm-up too
            return sys.maxsize
        self._forget()
        return max(self.most - len(self._waiting), 0)

    def pass_on(self, mark: int) -> None:
        """Count a request that goes to the engine."""
        if self._taken.read()[0]:
            self._waiting.append((mark, time.monotonic()))

    def _forget(self) -> None:
        now = time.monotonic()
        count, mark = self._taken.read()
        new, self._seen = count - self._seen, count
        if new:
            self._last_taken_s = now
            for _ in range(min(new - 1, len(self._waiting))):
                self._waiting.popleft()
            if any(waiting == mark for waiting, _ in self._waiting):
                while self._waiting.popleft()[0] != mark:
                    pass
        if now - self._last_taken_s > FORGET_S:
            while self._waiting and now - self._waiting[0][1] > FORGET_S:
                self._waiting.popleft()


def parameter_of(args: Mapping[str, str], name: str) -> str:
    """A parameter of the configuration that Triton gives a model; empty where it has none."""
    parameters = json.loads(args["model_config"]).get("parameters", {})
    return str(parameters.get(name, {}).get("string_value", ""))


def taken_requests(model: str, part: str, environment: Mapping[str, str]) -> TakenRequests:
    """The file of a stage's pipeline, the same for all of its stages.

    Args:
        model: the stage's name in the repository.
        part: the stage's name in its pipeline.
        environment: may name the folder; without one it is of this server's own in `/dev/shm`.
    """
    given = environment.get(COUNTS_FOLDER)
    folder = Path(given) if given else Path("/dev/shm") / f"ernie-triton-{os.getppid()}"
    return TakenRequests(folder / f"{model.replace(f'_{part}', '')}.waiting")
