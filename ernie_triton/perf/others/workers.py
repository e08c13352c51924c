"""Another program in an environment of its own, asked by lines of JSON.

It writes `ready`, then one line for each that it is given. It waits while it is not asked.
"""

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ernie_triton.errors import AnalyzerError
from ernie_triton.processes.child_process import running_child

AskWorker = Callable[[object], Any]
"""Gives the answer to one line, both as JSON values."""


@contextmanager
def worker(command: Sequence[str], packages: str) -> Iterator[AskWorker]:
    """Start a worker; `packages` is what its Python needs, for messages.

    Raises:
        AnalyzerError: it ends without an answer.
    """
    with running_child(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        given, answers = process.stdin, process.stdout
        if given is None or answers is None:
            raise AnalyzerError("the worker has no pipes")

        def answer() -> bytes:
            line = answers.readline()
            if not line:
                raise AnalyzerError(
                    f"`{' '.join(command)}` ended without an answer; run it by hand, and install "
                    f"{packages} for that Python"
                )
            return line

        while answer() != b"ready\n":
            pass

        def ask(asked: object) -> Any:  # noqa: ANN401 - JSON
            given.write(json.dumps(asked).encode() + b"\n")
            given.flush()
            return json.loads(answer())

        try:
            yield ask
        finally:
            given.close()
