"""Find what would keep a server from starting, each in one line that says what to mend."""

import contextlib
import errno
import importlib.metadata
import re
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ernie_triton.server.installation.leftovers import SHARED_MEMORY

SHARED_BYTES_OF_A_STAGE = 2 * 2**20
"""A stage holds 1 MiB of shared memory at rest (measured with 2.51), and more for a large batch."""

_PYTHON_STAGE = re.compile(r'^\s*backend:\s*"python"\s*$', re.MULTILINE)
_STAGE = re.compile(r'\bmodel_name:\s*"([^"]+)"')
_RUNTIME_BYTES = 2**20


def wrong_numpy() -> str:
    """A line about a NumPy that ends every stage; empty for one that works."""
    try:
        version = importlib.metadata.version("numpy")
    except importlib.metadata.PackageNotFoundError:
        return "numpy is not installed; run: pip install 'numpy>=1.26,<2'"
    if int(version.partition(".")[0]) < 2:
        return ""
    return (
        f"numpy {version} is installed, but the stages of tritonserver 2.51 end with numpy 2; "
        "run: pip install 'numpy>=1.26,<2'"
    )


def taken_ports(ports: Mapping[str, tuple[str, int]]) -> Iterator[str]:
    """Yield a line for each port that cannot be opened.

    Args:
        ports: host and number by the name of the port's option; number 0 is always free.
    """
    for name, (host, port) in ports.items():
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # A server that has just ended may be followed by the next.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host.strip("[]"), port))
            except OSError as error:
                taken = error.errno == errno.EADDRINUSE
                reason = "another program has it" if taken else error.strerror or str(error)
                yield (
                    f"port {port} of {host} cannot be opened: {reason}; name another with {name}, "
                    "0 for a free one"
                )


def missing_programs(stages: Iterable[Path]) -> Iterator[str]:
    """Yield a line for each Python stage whose newest version has no model.py.

    Triton 2.51 waits for such a stage for minutes.

    Args:
        stages: their configurations.
    """
    for config in stages:
        versions = [path for path in config.parent.iterdir() if path.name.isdecimal()]
        if not versions:
            yield f"{config.parent} has no version folder, such as 1; build the pipeline again"
            continue
        program = max(versions, key=lambda path: int(path.name)) / "model.py"
        if not program.is_file():
            yield f"{program} is missing; build the pipeline again"


def python_stages(repository: Path, models: Sequence[str] = ()) -> list[Path]:
    """The configurations of the stages that processes of Python run, sorted.

    Args:
        repository: the model repository.
        models: ensembles, with whose stages one is content; every model when empty.
    """
    texts = {}
    for config in sorted(repository.glob("*/config.pbtxt")):
        with contextlib.suppress(OSError, UnicodeDecodeError):  # the server says what is wrong
            texts[config] = config.read_text(encoding="utf-8")
    wanted = set(models)
    for config, text in texts.items():
        if not models or config.parent.name in models:
            wanted |= {config.parent.name, *_STAGE.findall(text)}
    return [
        config
        for config, text in texts.items()
        if config.parent.name in wanted and _PYTHON_STAGE.search(text)
    ]


def small_shared_memory(stages: int, folder: Path = SHARED_MEMORY) -> str:
    """A line about too little shared memory for so many stages; empty where it is enough."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"{folder} cannot be used ({error.strerror}); the stages need it: mount it as tmpfs"
    needed = stages * SHARED_BYTES_OF_A_STAGE
    if free >= needed:
        return ""
    return (
        f"{folder} has {free / 2**20:.0f} MiB free, but {stages} stages need "
        f"{needed / 2**20:.0f} MiB; make it larger (docker: --shm-size)"
    )


def full_disk(folder: Path) -> str:
    """A line about a folder for temporary files that is full; empty where there is room."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"{folder} cannot be used ({error.strerror}); set TMPDIR to a folder that can"
    if free >= _RUNTIME_BYTES:
        return ""
    return f"the disk of {folder} is full; free some of it, or set TMPDIR to another folder"
