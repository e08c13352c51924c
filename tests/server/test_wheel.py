"""The server's wheel is found without importing it, and laid out as the server wants it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from ernie_triton.errors import MissingExtraError, ServerError
from ernie_triton.server.wheel import WheelFiles, find_wheel, lay_out_backend, server_environment


@pytest.fixture
def files(tmp_path: Path) -> WheelFiles:
    """Paths as of a wheel in another place."""
    return WheelFiles(
        tritonserver=tmp_path / "server/bin/tritonserver",
        backend=tmp_path / "server/backends/python",
        stub=tmp_path / "server/stubs/triton_python_backend_stub",
        libraries=tmp_path / "nvidia_pytriton.libs",
    )


def test_every_file_of_the_installed_wheel_is_there() -> None:
    found = find_wheel()
    assert os.access(found.tritonserver, os.X_OK)
    assert os.access(found.stub, os.X_OK)
    assert (found.backend / "libtriton_python.so").is_file()
    assert list(found.libraries.glob("libb64*"))


def test_finding_the_wheel_does_not_import_it() -> None:
    program = (
        "import sys; from ernie_triton.server.wheel import find_wheel; find_wheel(); "
        "sys.exit('pytriton' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_missing_wheel_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(MissingExtraError, match=r"'nvidia-pytriton'.*ernie-triton\[server\]"):
        find_wheel()


def test_the_backends_folder_has_what_the_server_looks_for(tmp_path: Path) -> None:
    found = find_wheel()
    lay_out_backend(found, tmp_path / "backends")
    folder = tmp_path / "backends" / "python"
    assert {path.name: path.resolve() for path in folder.iterdir()} == {
        "libtriton_python.so": (found.backend / "libtriton_python.so").resolve(),
        "triton_python_backend_utils.py": (
            found.backend / "triton_python_backend_utils.py"
        ).resolve(),
        "triton_python_backend_stub": found.stub.resolve(),
    }


def test_a_python_without_a_stub_is_refused_with_its_version(tmp_path: Path) -> None:
    without = dataclasses.replace(find_wheel(), stub=tmp_path / "none")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(ServerError, match=f"a stub for Python {python}.*CPython 3.10 to 3.12"):
        lay_out_backend(without, tmp_path / "backends")
    assert not (tmp_path / "backends").exists()


def test_the_environment_puts_pythons_and_the_wheels_libraries_first(files: WheelFiles) -> None:
    inherited = {"LD_LIBRARY_PATH": "/opt/lib", "PATH": "/usr/bin", "LC_ALL": "C", "HOME": "/root"}
    environment = server_environment(files, inherited)
    assert environment["LD_LIBRARY_PATH"].split(":") == [
        sysconfig.get_config_var("LIBDIR"),
        str(files.libraries),
        "/opt/lib",
    ]
    assert environment["PATH"] == f"{Path(sys.executable).parent}:/usr/bin"
    assert environment["LC_ALL"] == "C.UTF-8"
    assert environment["HOME"] == "/root"
    assert inherited["LC_ALL"] == "C"


def test_an_empty_entry_never_gets_onto_the_library_path(files: WheelFiles) -> None:
    for inherited in ({}, {"LD_LIBRARY_PATH": ""}):
        paths = server_environment(files, inherited)["LD_LIBRARY_PATH"].split(":")
        assert len(paths) == 2
        assert all(paths)
