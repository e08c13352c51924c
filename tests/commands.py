"""The project's command in this process, with its first words given."""

from collections.abc import Callable, Sequence

from ernie_triton.cli import main


def command(*words: str) -> Callable[[Sequence[str]], int]:
    """`command("perf")(["run", …])` is `ernie-triton perf run …`."""
    return lambda argv: main([*words, *argv])
