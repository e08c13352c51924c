"""Find the files of the server's pip wheel, and lay out what they need to run.

nvidia-pytriton 0.7.0 carries tritonserver 2.51.0 (release 24.10), its Python backend and that
backend's stubs. Only these files are used; its Python package is found and never imported.
"""

import importlib.util
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import MissingExtraError, ServerError


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFiles:
    """The binaries that one server needs."""

    tritonserver: Path
    backend: Path
    stub: Path
    libraries: Path


def find_wheel() -> WheelFiles:
    """The files of the installed wheel, for this Python.

    Raises:
        MissingExtraError: the wheel is not installed.
    """
    spec = importlib.util.find_spec("pytriton")  # found, never imported
    if spec is None or spec.origin is None:
        raise MissingExtraError("nvidia-pytriton", "server", "the embedded server")
    package = Path(spec.origin).parent
    server = package / "tritonserver"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return WheelFiles(
        tritonserver=server / "bin" / "tritonserver",
        backend=server / "backends" / "python",
        stub=server / "python_backend_stubs" / python / "triton_python_backend_stub",
        libraries=package.parent / "nvidia_pytriton.libs",
    )


def lay_out_backend(files: WheelFiles, backends: Path) -> None:
    """Put the Python backend and the stub of this Python into one folder, as the server wants.

    Raises:
        ServerError: this Python has no stub in the wheel or no shared library.
    """
    if missing := python_library(files):
        raise ServerError(missing)
    folder = backends / "python"
    folder.mkdir(parents=True)
    for name in ("libtriton_python.so", "triton_python_backend_utils.py"):
        (folder / name).symlink_to(files.backend / name)
    (folder / files.stub.name).symlink_to(files.stub)


def python_library(files: WheelFiles) -> str:
    """A line about a Python that the server's stages cannot run; empty where they can."""
    library = Path(str(sysconfig.get_config_var("LIBDIR"))) / str(
        sysconfig.get_config_var("INSTSONAME")
    )
    if files.stub.exists() and library.exists():
        return ""
    return (
        f"the Python backend needs a stub for Python {sys.version_info.major}."
        f"{sys.version_info.minor} and the shared library {library}; use a CPython 3.10 to "
        f"3.12 built with --enable-shared (or install libpython3 of your distribution)"
    )


def server_environment(files: WheelFiles, inherited: Mapping[str, str]) -> dict[str, str]:
    """An environment with what the server and its stubs need on top of the inherited one."""
    environment = dict(inherited)
    libraries = [str(sysconfig.get_config_var("LIBDIR")), str(files.libraries)]
    if inherited.get("LD_LIBRARY_PATH"):
        libraries.append(inherited["LD_LIBRARY_PATH"])
    environment["LD_LIBRARY_PATH"] = ":".join(libraries)
    # The stub finds its virtual environment by the `python3` on the PATH.
    environment["PATH"] = f"{Path(sys.executable).parent}:{inherited.get('PATH', '')}"
    environment["LC_ALL"] = "C.UTF-8"
    return environment
