"""The real tritonserver, run from the files of its pip wheel.

This module owns the server's process: readiness, log, stages, stop.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from ernie_triton.errors import ServerError
from ernie_triton.log_lines import is_log_line
from ernie_triton.processes.child_process import deferred_signals, start_child
from ernie_triton.request_counts import COUNTS_FOLDER
from ernie_triton.server.addresses import free_port, own_address
from ernie_triton.server.builds.live import LiveBuilds
from ernie_triton.server.builds.verification import RepositoryState, verified_repository
from ernie_triton.server.builds.view import ServedBuild, View
from ernie_triton.server.control import Control, new_key
from ernie_triton.server.hidden_keys import hide_keys
from ernie_triton.server.installation.findings import (
    full_disk,
    missing_programs,
    python_stages,
    small_shared_memory,
    taken_ports,
    wrong_numpy,
)
from ernie_triton.server.installation.leftovers import owned_prefix, remove_leftovers
from ernie_triton.server.options import ServerOptions
from ernie_triton.server.supervision.given_up_stages import GivenUpStages
from ernie_triton.server.supervision.stuck_stages import StuckStages
from ernie_triton.server.supervision.supervisor import Supervisor
from ernie_triton.server.telemetry.log import failure_reason
from ernie_triton.server.telemetry.metrics import SupervisorMetrics
from ernie_triton.server.tls_front import TlsFront
from ernie_triton.server.triton_command import (
    EXIT_TIMEOUT_S,
    TritonRun,
    grpc_socket,
    triton_command,
)
from ernie_triton.server.wheel import WheelFiles, find_wheel, lay_out_backend, server_environment

_KEPT_LOG_LINES = 400
_POLL_S = 0.05


class EmbeddedServer:
    """One running tritonserver; a context manager that starts and always stops it.

    Attributes:
        options: what is served.
        builds: the pipelines of the repository, as `start` verified them.
    """

    def __init__(
        self,
        options: ServerOptions,
        *,
        log: Callable[[str], None] | None = None,
        say: Callable[[str], None] = lambda _line: None,
        metrics: SupervisorMetrics | None = None,
    ) -> None:
        """Choose ports; nothing runs yet.

        Args:
            options: what to serve.
            log: is given each line of the server's log, from a thread of its own.
            say: is given a line when a stage ended and when it is back, from a thread of its own.
            metrics: counts these.
        """
        if not options.repository.is_dir():
            raise ServerError(f"the model repository {options.repository} is not a folder")
        self.options = options
        self.http_port = options.http_port
        if options.http_port == 0:
            self.http_port = free_port(options.http_host)
        self.grpc_port = options.grpc_port or free_port(options.host)
        self.metrics_port = options.metrics_port or free_port(options.metrics_host)
        self._log = log
        self._say = say
        self._metrics = metrics or SupervisorMetrics()
        self._lines: deque[str] = deque(maxlen=_KEPT_LOG_LINES)
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._runtime_folder: Path | None = None
        self._supervisor: Supervisor | None = None
        self._key = new_key()
        self._control: Control | None = None
        self._view: View | None = None
        self._live_builds: LiveBuilds | None = None
        self._front: TlsFront | None = None
        self.builds = RepositoryState(whole=(), refused=(), unverified=())

    @property
    def url(self) -> str:
        """The gRPC address, as clients take it."""
        return f"{self.options.host}:{self.grpc_port}"

    @property
    def pid(self) -> int:
        """The process id of tritonserver."""
        return self._running().pid

    @property
    def control(self) -> Control:
        """The connection that may load and unload models."""
        if self._control is None:
            raise ServerError("the server is not running")
        return self._control

    @property
    def view(self) -> View:
        """The folder that is served in the repository's place."""
        if self._view is None:
            raise ServerError("the server is not running")
        return self._view

    @property
    def live_builds(self) -> LiveBuilds:
        """The builds that are served, which can be exchanged."""
        if self._live_builds is None:
            raise ServerError("the server is not running")
        return self._live_builds

    def __enter__(self) -> "EmbeddedServer":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until every model is ready.

        Raises:
            RepositoryError: a pipeline is damaged, or mixed of two builds; nothing was started.
            ServerError: a model failed to load, a port is taken, or the time is up; nothing of the
                server is left running.
            MissingExtraError: the server's wheel is not installed.
        """
        files = find_wheel()
        try:
            served = self._take_builds()
            self._refuse_what_cannot_start()
            remove_leftovers()
            self._runtime_folder = folder = Path(tempfile.mkdtemp(prefix=owned_prefix()))
            lay_out_backend(files, folder / "backends")
            if self.counts_folder is not None:
                self.counts_folder.mkdir()
            if self.options.tls is not None:
                address = (self.options.host, self.grpc_port)
                self._front = TlsFront(self.options.tls, address, grpc_socket(folder))
            with deferred_signals():
                self._process = start_child(
                    self._command(files, folder),
                    env={**server_environment(files, os.environ), **self._stage_settings()},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    new_session=True,
                )
            self._reader = threading.Thread(target=self._read_log, daemon=True)
            self._reader.start()
            self._control = Control(self._own_url, self._key, self.options.client_key)
            self._wait_until_ready()
            self._supervisor = Supervisor(
                self._process.pid,
                self._control,
                self._say,
                self._metrics,
                stuck=self._stuck_stages(),
                given_up=GivenUpStages(self.metrics_url),
            )
            self._live_builds = LiveBuilds(
                self.options.repository,
                self.view,
                served,
                self._control,
                turn=self._supervisor.turn,
            )
            if self._front is not None:
                self._front.start()
        except OSError as error:
            self.stop()
            raise ServerError(f"the server's files cannot be written: {error}") from error
        except BaseException:
            self.stop()
            raise

    def _stuck_stages(self) -> StuckStages | None:
        if self.counts_folder is None or self.options.stage_timeout_s <= 0:
            return None
        return StuckStages(self.counts_folder, self.options.stage_timeout_s)

    def _take_builds(self) -> dict[str, ServedBuild]:
        """Verify the repository's builds, and take them into a view of them."""
        repository, models = self.options.repository, self.options.models
        with verified_repository(repository, models) as self.builds:
            self._view = View(repository)
            return self._view.take_all(self.builds)

    def _refuse_what_cannot_start(self) -> None:
        """Raise ServerError for what Triton would wait for, or tell in words of its own."""
        options = self.options
        ports = {
            "--grpc-port": (options.host, self.grpc_port),
            "--metrics-port": (options.metrics_host, self.metrics_port),
        }
        if self.http_port is not None:
            ports["--http-port"] = (options.http_host, self.http_port)
        stages = python_stages(options.repository, options.models)
        found = [
            wrong_numpy(),
            full_disk(Path(tempfile.gettempdir())),
            small_shared_memory(len(stages)),
            *taken_ports(ports),
            *missing_programs(stages),
        ]
        if wrong := "; ".join(filter(None, found)):
            raise ServerError(f"the server did not start: {wrong}")

    @property
    def counts_folder(self) -> Path | None:
        """The folder in which stages count their requests, if they do."""
        counts = self.options.counts_requests or self.options.stage_timeout_s > 0
        if self._runtime_folder is None or not counts:
            return None
        return self._runtime_folder / "counts"

    @property
    def metrics_url(self) -> str:
        """The address of Triton's metrics from this machine."""
        return f"http://{own_address(self.options.metrics_host)}:{self.metrics_port}/metrics"

    def models(self) -> list[str]:
        """The models that are loaded, stages included."""
        return list(self.control.ready_names())

    def watch(self, timeout_s: float) -> None:
        """Watch the server and its stages for this time; begin to bring back what ended.

        Raises:
            ServerError: the server ended, or a stage ends again and again.
        """
        process = self._running()
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(timeout_s)
            raise ServerError(f"the server stopped by itself (code {code}): {self.failure()}")
        if self._supervisor is not None:
            self._supervisor.check()

    def drain(self, timeout_s: float) -> tuple[str, ...]:
        """Refuse new requests and wait for the answers to the others.

        Args:
            timeout_s: how long to wait, in seconds.

        Returns:
            The pipelines that still had unanswered requests when the time was up.

        Raises:
            ServerError: the server does not answer.
        """
        return self._supervisor.drain(timeout_s) if self._supervisor is not None else ()

    def stop(self) -> None:
        """End the server and every stage, within seconds; a second call does nothing."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.stop()
        process, self._process = self._process, None
        control, self._control = self._control, None
        front, self._front = self._front, None
        if front is not None:
            front.stop()
        if control is not None:
            control.close()
        if process is not None:
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(2 * EXIT_TIMEOUT_S)
            # The stages' stubs are of the server's process group.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if self._reader is not None:
                self._reader.join(EXIT_TIMEOUT_S)
                # A process outside the group may hold the pipe; closing it would wait for it.
                if process.stdout is not None and not self._reader.is_alive():
                    process.stdout.close()
        self._live_builds = None
        if self._view is not None:
            self._view.remove()
            self._view = None
        if self._runtime_folder is not None:
            shutil.rmtree(self._runtime_folder, ignore_errors=True)
            self._runtime_folder = None

    def failure(self) -> str:
        """Reason of the server's failure, in one line, from its log."""
        return failure_reason(self._lines)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerError("the server is not running")
        return self._process

    def _command(self, files: WheelFiles, folder: Path) -> list[str]:
        """Return the words that start the server, whose backends lie in a folder."""
        run = TritonRun(
            files=files,
            models=self.view.models,
            folder=folder,
            key=self._key,
            grpc_port=self.grpc_port,
            metrics_port=self.metrics_port,
            http_port=self.http_port,
        )
        return triton_command(self.options, run)

    @property
    def _own_url(self) -> str:
        """The gRPC address from this machine, where `host` may be every address."""
        if self.options.tls is not None and self._runtime_folder is not None:
            return f"unix:{grpc_socket(self._runtime_folder)}"
        return f"{own_address(self.options.host)}:{self.grpc_port}"

    def _stage_settings(self) -> dict[str, str]:
        """The variables by which stages know their log and where they count."""
        counts = self.counts_folder
        return {**self.options.log.to_environment(), COUNTS_FOLDER: str(counts) if counts else ""}

    def _read_log(self) -> None:
        stream = self._running().stdout
        if stream is None:
            return
        is_read = False
        for raw in stream:
            if not is_read:  # it writes when it has read its command
                is_read = hide_keys(self._running().pid, (self._key, self.options.client_key))
            line = raw.decode("utf-8", "replace").rstrip("\n")
            if not is_log_line(line):
                self._lines.append(line)
            if self._log is not None:
                self._log(line)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self.options.startup_timeout_s
        while time.monotonic() < deadline:
            code = self._running().poll()
            if code is not None:
                if self._reader is not None:
                    self._reader.join(EXIT_TIMEOUT_S)
                raise ServerError(f"the server did not start: {self.failure()}")
            if self.control.ready():
                return
            time.sleep(_POLL_S)
        raise ServerError(
            f"the server was not ready after {self.options.startup_timeout_s:g} s: {self.failure()}"
        )
