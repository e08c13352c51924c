"""The real tritonserver, run from the files of its pip wheel.

The wheel (nvidia-pytriton 0.7.0) carries tritonserver 2.51.0, its Python backend and that backend's
stubs; nothing of its Python API is used. This module owns the server's process: command,
environment, readiness, log, stop.
"""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ernie_triton.errors import MissingExtraError, ServerError

STOP_TIMEOUT_S = 5
_KEPT_LOG_LINES = 400
_POLL_S = 0.05
# tritonserver logs `E1121 22:35:10.522523 2784 server.cc:241] "text"`; the stages print plainly.
_LOG_LINE = re.compile(r'^[EWI]\d{4} [\d:.]+ \d+ [\w.]+:\d+\] "?(?P<text>.*?)"?$', re.DOTALL)
_FAILED_MODEL = re.compile(r"failed to load '(?P<model>[^']+)' version \d+: (?P<reason>.+)")
_FAILED_START = re.compile(
    r"^error: (creating server: )?(?P<reason>.+)|(?P<service>failed to start .+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """What to serve, and where.

    Attributes:
        repository: the model repository.
        models: ensembles to load, with their stages; empty loads all of the repository.
        host: the address to bind all ports to.
        http_port: 0 chooses a free port, as for the two others.
        grpc_port: of the gRPC service, which the clients use.
        metrics_port: of Prometheus' metrics.
        startup_timeout_s: how long loading may take, in seconds.
    """

    repository: Path
    models: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    http_port: int = 8000
    grpc_port: int = 8001
    metrics_port: int = 8002
    startup_timeout_s: float = 300


class EmbeddedServer:
    """One running tritonserver; a context manager that starts and always stops it."""

    def __init__(self, options: ServerOptions, *, log: Callable[[str], None] | None = None) -> None:
        """Choose ports; nothing runs yet.

        Args:
            options: what to serve.
            log: is given each line of the server's log, from a thread of its own.
        """
        if not options.repository.is_dir():
            raise ServerError(f"the model repository {options.repository} is not a folder")
        self.options = options
        self.http_port = options.http_port or free_port(options.host)
        self.grpc_port = options.grpc_port or free_port(options.host)
        self.metrics_port = options.metrics_port or free_port(options.host)
        self._log = log
        self._lines: deque[str] = deque(maxlen=_KEPT_LOG_LINES)
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._runtime_folder: Path | None = None

    @property
    def url(self) -> str:
        """The gRPC address, as clients take it."""
        return f"{self.options.host}:{self.grpc_port}"

    @property
    def pid(self) -> int:
        """The process id of tritonserver."""
        return self._running().pid

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
            ServerError: a model failed to load, a port is taken, or the time is up; nothing of the
                server is left running.
            MissingExtraError: the server's wheel is not installed.
        """
        self._runtime_folder = Path(tempfile.mkdtemp(prefix="ernie-triton-"))
        try:
            files = _wheel_files()
            _lay_out_backend(files, self._runtime_folder / "backends")
            self._process = subprocess.Popen(
                [*self._command(files)],
                env=_environment(files),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            self._reader = threading.Thread(target=self._read_log, daemon=True)
            self._reader.start()
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def wait(self, timeout_s: float | None = None) -> int | None:
        """The server's exit code once it ends, or None when the timeout passes first."""
        try:
            return self._running().wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """End the server and every stage, within seconds; a second call does nothing."""
        process, self._process = self._process, None
        if process is not None:
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(2 * STOP_TIMEOUT_S)
            # The stages' stubs are of the server's process group.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if self._reader is not None:
                self._reader.join(STOP_TIMEOUT_S)
            if process.stdout is not None:
                process.stdout.close()
        if self._runtime_folder is not None:
            shutil.rmtree(self._runtime_folder, ignore_errors=True)
            self._runtime_folder = None

    def failure(self) -> str:
        """Why the server failed, in one line, from its log."""
        lines = [
            match["text"] if (match := _LOG_LINE.match(line)) else line for line in self._lines
        ]
        reasons = {
            m["model"]: _reason(m["reason"]) for t in lines if (m := _FAILED_MODEL.search(t))
        }
        if reasons:
            return "; ".join(f"model {model}: {reason}" for model, reason in reasons.items())
        for line in lines:
            if match := _FAILED_START.search(line):
                return match["reason"] or match["service"]
        return lines[-1] if lines else "it printed nothing"

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise ServerError("the server is not running")
        return self._process

    def _command(self, files: "_WheelFiles") -> list[str]:
        host = self.options.host
        command = [
            str(files.tritonserver),
            f"--model-repository={self.options.repository.resolve()}",
            f"--backend-directory={self._runtime_folder}/backends",
            # Takes a model's `configs/embedded.pbtxt` where there is one, else its `config.pbtxt`.
            "--model-config-name=embedded",
            f"--http-address={host}",
            f"--http-port={self.http_port}",
            f"--grpc-address={host}",
            f"--grpc-port={self.grpc_port}",
            f"--metrics-address={host}",
            f"--metrics-port={self.metrics_port}",
            f"--exit-timeout-secs={STOP_TIMEOUT_S}",
        ]
        if self.options.models:
            command.append("--model-control-mode=explicit")
            command.extend(f"--load-model={model}" for model in self.options.models)
        return command

    def _read_log(self) -> None:
        stream = self._running().stdout
        if stream is None:
            return
        for line in stream:
            self._lines.append(line.rstrip("\n"))
            if self._log is not None:
                self._log(line.rstrip("\n"))

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self.options.startup_timeout_s
        url = f"http://{self.options.host}:{self.http_port}/v2/health/ready"
        while time.monotonic() < deadline:
            code = self._running().poll()
            if code is not None:
                if self._reader is not None:
                    self._reader.join(STOP_TIMEOUT_S)
                raise ServerError(f"the server did not start: {self.failure()}")
            if _answers(url):
                return
            time.sleep(_POLL_S)
        raise ServerError(
            f"the server was not ready after {self.options.startup_timeout_s:g} s: {self.failure()}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _WheelFiles:
    tritonserver: Path
    backend: Path
    stub: Path
    libraries: Path


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def wheel_libraries() -> Path:
    """The folder of shared libraries that the server's wheel brings.

    Raises:
        MissingExtraError: the wheel is not installed.
    """
    return _wheel_files().libraries


def _wheel_files() -> _WheelFiles:
    spec = importlib.util.find_spec("pytriton")  # found, never imported
    if spec is None or spec.origin is None:
        raise MissingExtraError("nvidia-pytriton", "server", "the embedded server")
    package = Path(spec.origin).parent
    server = package / "tritonserver"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return _WheelFiles(
        tritonserver=server / "bin" / "tritonserver",
        backend=server / "backends" / "python",
        stub=server / "python_backend_stubs" / python / "triton_python_backend_stub",
        libraries=package.parent / "nvidia_pytriton.libs",
    )


def _lay_out_backend(files: _WheelFiles, backends: Path) -> None:
    """Put the Python backend and the stub of this Python into one folder, as the server wants."""
    library = Path(str(sysconfig.get_config_var("LIBDIR"))) / str(
        sysconfig.get_config_var("INSTSONAME")
    )
    if not (files.stub.exists() and library.exists()):
        raise ServerError(
            f"the Python backend needs a stub for Python {sys.version_info.major}."
            f"{sys.version_info.minor} and the shared library {library}; use a CPython 3.10 to "
            f"3.12 built with --enable-shared (or install libpython3 of your distribution)"
        )
    folder = backends / "python"
    folder.mkdir(parents=True)
    for name in ("libtriton_python.so", "triton_python_backend_utils.py"):
        (folder / name).symlink_to(files.backend / name)
    (folder / files.stub.name).symlink_to(files.stub)


def _environment(files: _WheelFiles) -> dict[str, str]:
    """This process's environment with what the server and its stubs need."""
    environment = dict(os.environ)
    inherited = environment.get("LD_LIBRARY_PATH", "")
    folders = [str(sysconfig.get_config_var("LIBDIR")), str(files.libraries), inherited]
    environment["LD_LIBRARY_PATH"] = ":".join(folder for folder in folders if folder)
    # The stub finds its virtual environment by the `python3` on the PATH.
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment.get('PATH', '')}"
    environment["LC_ALL"] = "C.UTF-8"
    return environment


def _reason(text: str) -> str:
    """The message of a stage's exception, without Triton's wrapping and the traceback's places."""
    text = text.split("\\n\\nAt:")[0].split("\n\nAt:")[0]
    return re.sub(r"^(Internal|Invalid argument|Unavailable): (TritonModelException: )?", "", text)
