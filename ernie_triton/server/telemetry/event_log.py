"""The log of `serve`: its own events, Triton's lines, and the lines that stages write for requests.

In text, Triton's lines stay as they are. In JSON each becomes an event of its own.
"""

import os
import re
import sys
import time
from pathlib import Path
from threading import Event
from typing import IO

from ernie_triton.errors import ServerError
from ernie_triton.log_lines import is_log_line, log_line
from ernie_triton.log_settings import LogSettings
from ernie_triton.server.telemetry.log import is_error

_TRITON_LINE = re.compile(
    r'^(?P<level>[EWI])\d{4} [\d:.]+ \d+ (?P<source>[\w.]+:\d+)\] "?(?P<message>.*?)"?$'
)
_LEVELS = {"E": "error", "W": "warning", "I": "info"}


class EventLog:
    """Writes events and the server's lines to standard error, or to a file."""

    def __init__(
        self, settings: LogSettings, *, file: Path | None = None, verbose: bool = False
    ) -> None:
        """Open the file.

        Args:
            settings: of the form; the stages choose the requests.
            file: where lines are appended; it may be renamed, and is then made anew.
            verbose: writes all lines of the server, not only its errors.

        Raises:
            ServerError: the file cannot be written.
        """
        self._form = settings.form
        self._verbose = verbose
        self._ready = Event()
        try:
            self._file = None if file is None else _LogFile(file)
        except OSError as error:
            raise ServerError(
                f"the log file {file} cannot be written ({error.strerror}); name another one"
            ) from error

    def event(self, name: str, text: str = "", **fields: object) -> None:
        """Write an event: its name and fields in JSON, the text, if there is one, in text."""
        if self._form == "json":
            self._write(log_line("json", time.time(), name, fields))
        elif text:
            self._write(text)

    def server_ready(self) -> None:
        """Write the server's errors from now on; before, the failed start tells them."""
        self._ready.set()

    def server_stops(self) -> None:
        """Write the server's errors no more: what it says while it is ended is of no use."""
        self._ready.clear()

    def server_line(self, line: str) -> None:
        """Take a line of the server or of a stage."""
        if is_log_line(line):
            self._write(line)
        elif self._verbose or (self._ready.is_set() and is_error(line)):
            self.event("server_log", line, **_fields_of(line))

    def follow(self, stream: IO[bytes]) -> None:
        """Take every line of a server's output, until it ends."""
        for raw in stream:
            self.server_line(raw.decode("utf-8", "replace").rstrip("\n"))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _write(self, line: str) -> None:
        if self._file is not None:
            self._file.write(line)
        else:
            print(line, file=sys.stderr, flush=True)


class _LogFile:
    """A file that lines are appended to; it is opened again after something has renamed it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._has_failed = False
        self._file = self._opened()

    def write(self, line: str) -> None:
        """Append a line; where that fails, say so once and go on without."""
        try:
            if self._is_renamed():
                os.close(self._file)
                self._file = self._opened()
            os.write(self._file, f"{line}\n".encode())
        except OSError as error:
            if not self._has_failed:
                self._has_failed = True
                reason = f"error: the log file {self._path}: {error.strerror}; lines are lost"
                print(reason, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _opened(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def _is_renamed(self) -> bool:
        try:
            return self._path.stat().st_ino != os.fstat(self._file).st_ino
        except FileNotFoundError:
            return True


def _fields_of(line: str) -> dict[str, object]:
    """The parts of one of Triton's lines; lines of others are a message of no known level."""
    if match := _TRITON_LINE.match(line):
        level = _LEVELS[match["level"]]
        return {"level": level, "source": match["source"], "message": match["message"]}
    return {"message": line}
