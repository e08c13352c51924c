"""Build a checkpoint once or several times, and serve the builds, for the time of a comparison."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ernie_triton.perf.build_process import run_build
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.options import ServerOptions

PRECISION_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "int8": ("--precision", "int8", "--allowed-changes", "1"),
    "bf16": ("--precision", "bf16", "--tolerance", "0.5"),
}
"""Options of `build` by precision. Random weights decide by little, so these accept losses that a
trained model's would not."""


@contextmanager
def served_builds(
    checkpoint: Path, task: str, builds: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Serve a checkpoint from a repository that goes with the context; gives the gRPC address.

    Args:
        checkpoint: what to build.
        task: its task.
        builds: further options of each build, by the pipeline's name.

    Raises:
        CheckpointError: a build fails.
        ServerError: the server does not start.
    """
    with tempfile.TemporaryDirectory(prefix="ernie-triton-perf-") as folder:
        for name, options in builds.items():
            where = ("--repository", folder, "--name", name)
            run_build("build", checkpoint, "--task", task, *where, *options)
        served = ServerOptions(repository=Path(folder), grpc_port=0, metrics_port=0)
        with EmbeddedServer(served) as server:
            yield server.url
