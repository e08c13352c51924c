"""Watch the machine during a measurement: CPU and memory of the server, and other load.

The server must run on this machine and be visible to this user. Stages are watched where they are
processes of their own, as those of Triton's Python backend are.
"""

import resource
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import psutil

from ernie_triton.server.stage_processes import stage_of

_INTERVAL_S = 0.25
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]", "0.0.0.0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """CPU and memory that were seen; None and empty where the server was not visible.

    Attributes:
        server_cores: mean CPU cores of the server and its stages.
        server_memory_bytes: most resident memory of them together.
        stage_memory_bytes: most resident memory of each stage's processes, by model name.
        other_cores: mean CPU cores of everything but the server, perf_analyzer and this program;
            None where the server is on this machine and was not seen.
    """

    server_cores: float | None = None
    server_memory_bytes: int | None = None
    stage_memory_bytes: Mapping[str, int] = field(default_factory=dict)
    other_cores: float | None = None


class Watch:
    """A context manager that watches from a thread of its own."""

    def __init__(self, url: str, server: int | None) -> None:
        """Prepare to watch.

        Args:
            url: the server's address.
            server: its process id, where it is known.
        """
        self._is_local = is_local(url)
        self._server = _process(server)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample_until_done, daemon=True)
        self._memory = 0
        self._stages: dict[str, int] = {}
        self.sighting = Sighting()

    def __enter__(self) -> "Watch":
        self._start = _CpuTimes.now(self._server)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        end = _CpuTimes.now(self._server)
        elapsed_s = max(end.clock_s - self._start.clock_s, 1e-6)
        busy_s = end.busy_s - self._start.busy_s
        server_s = end.server_s - self._start.server_s
        own_s = end.own_s - self._start.own_s
        seen = self._server is not None
        visible = seen or not self._is_local
        self.sighting = Sighting(
            server_cores=server_s / elapsed_s if seen else None,
            server_memory_bytes=self._memory if seen else None,
            stage_memory_bytes=dict(self._stages),
            other_cores=max(0.0, busy_s - server_s - own_s) / elapsed_s if visible else None,
        )

    def _sample_until_done(self) -> None:
        while True:
            self._sample()
            if self._done.wait(_INTERVAL_S):
                return

    def _sample(self) -> None:
        total = 0
        stages: dict[str, int] = {}
        for process in _family(self._server):
            try:
                resident, stage = process.memory_info().rss, stage_of(process.cmdline())
            except psutil.Error:  # ended meanwhile
                continue
            total += resident
            if stage:
                stages[stage] = stages.get(stage, 0) + resident
        self._memory = max(self._memory, total)
        for stage, resident in stages.items():
            self._stages[stage] = max(self._stages.get(stage, 0), resident)


def is_local(url: str) -> bool:
    """Tell whether a host:port is on this machine."""
    return url.rpartition(":")[0] in _LOOPBACK


def listening_process(url: str) -> int | None:
    """Find the local tritonserver that listens at a host:port; None where none is visible."""
    host_port = url.rpartition(":")[2]
    if not is_local(url) or not host_port.isdecimal():
        return None
    port = int(host_port)
    for process in psutil.process_iter():
        try:
            if process.name() != "tritonserver":
                continue
            sockets = process.net_connections(kind="tcp")
        except psutil.Error:
            continue
        if any(one.laddr.port == port and one.status == psutil.CONN_LISTEN for one in sockets):
            return int(process.pid)
    return None


def cpu_of_stages(server: int) -> dict[int, tuple[str, float]]:
    """The CPU seconds so far of a server and its stages, by process id, each with its model name.

    The server's own name is empty.
    """
    found = {}
    for process in _family(_process(server)):
        try:
            found[process.pid] = (stage_of(process.cmdline()), _cpu_seconds(process))
        except psutil.Error:  # ended meanwhile
            continue
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _CpuTimes:
    """CPU seconds so far: of the whole machine, of the server, of this program and its children."""

    clock_s: float
    busy_s: float
    server_s: float
    own_s: float

    @classmethod
    def now(cls, server: psutil.Process | None) -> "_CpuTimes":
        times = psutil.cpu_times()
        # Guests are in `user` and `nice` already. Stolen time went to other machines.
        idle = times.idle + getattr(times, "iowait", 0.0)
        guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cls(
            clock_s=time.monotonic(),
            busy_s=sum(times) - idle - guests,
            server_s=sum(map(_cpu_seconds, _family(server))),
            own_s=time.process_time() + children.ru_utime + children.ru_stime,
        )


def _process(pid: int | None) -> psutil.Process | None:
    try:
        return None if pid is None else psutil.Process(pid)
    except psutil.Error:
        return None


def _family(process: psutil.Process | None) -> Iterator[psutil.Process]:
    if process is None:
        return
    try:
        yield process
        yield from process.children(recursive=True)
    except psutil.Error:  # ended meanwhile
        return


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
