"""`ernie-triton gateway` as a process of its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Started:
    """The line that the gateway prints, and its process."""

    line: str
    process: subprocess.Popen[str]

    @property
    def address(self) -> str:
        """Host and port."""
        return str(re.findall(r"https?://([^/]+)/", self.line)[0])

    @property
    def metrics(self) -> str:
        """Host and port of the metrics."""
        return str(re.findall(r"metrics http://([^/]+)/", self.line)[0])


@contextmanager
def running_gateway(*options: str) -> Iterator[Started]:
    """A gateway on a free port, ended by SIGTERM after the block; its exit code is 0."""
    command = [sys.executable, "-m", "ernie_triton", "gateway", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stdout is not None
            yield Started(line=process.stdout.readline(), process=process)
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
    assert code == 0
