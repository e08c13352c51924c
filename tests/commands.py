"""The project's command in this process, with its first words given."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ernie_triton.cli import main

STEP = re.compile(
    r" *\d+\.\d\d s  (pipeline|task|read|vocabulary|graph|source|calibrate|quantize|fp16|engine"
    r"|choose|compare|evaluate|speed|plan|write|publish) .*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command gave."""

    code: int
    stdout: str
    stderr: str

    @property
    def steps(self) -> list[str]:
        """The steps that were reported, in order."""
        found = (STEP.fullmatch(line) for line in self.stderr.splitlines())
        return [match[1] for match in found if match]

    @property
    def other_lines(self) -> list[str]:
        """Whatever stderr holds besides steps."""
        return [line for line in self.stderr.splitlines() if not STEP.fullmatch(line)]


Run = Callable[..., Outcome]
"""Runs a command in this process; each argument is turned into text."""


def command(*words: str) -> Callable[[Sequence[str]], int]:
    """`command("perf")(["run", …])` is `ernie-triton perf run …`."""
    return lambda argv: main([*words, *argv])
