"""Check an installation and say what to mend: `ernie-triton doctor`."""

import argparse
import importlib.metadata
import locale
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import ErnieTritonError, GpuError
from ernie_triton.gpu.driver import CudaDriver, driver_version
from ernie_triton.processor import instruction_sets, processor_name
from ernie_triton.server.installation.findings import (
    full_disk,
    missing_programs,
    python_stages,
    small_shared_memory,
    taken_ports,
    wrong_numpy,
)
from ernie_triton.server.wheel import find_wheel, python_library
from ernie_triton.text_table import Table

_PACKAGES = (
    *("numpy", "nvidia-pytriton", "tritonclient", "openvino", "onnxruntime", "onnxruntime-gpu"),
    *("tensorrt", "tensorrt_rtx_cu12", "onnx", "torch"),
)
_STAGES_OF_THE_SAMPLES = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationCheck:
    """One line of the table.

    Attributes:
        name: of what was checked.
        found: what is there.
        mend: what to do about it; empty where nothing is wrong.
    """

    name: str
    found: str
    mend: str = ""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Check this installation and print a table. Ends with 0 where a server can start, with 1 "
        "where something must be mended."
    )
    parser.add_argument("--repository", type=Path, help="a model repository to check too")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address of the ports (default %(default)s)"
    )
    for name, default in (("grpc", 8001), ("metrics", 8002)):
        parser.add_argument(
            f"--{name}-port", type=int, default=default, help=f"port of {name} (default {default})"
        )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    checks = list(_checks(arguments))
    table = Table(["check", "", "found"])
    rows = [[one.name, "mend" if one.mend else "ok", one.mend or one.found] for one in checks]
    print("\n".join(table.lines(rows)))
    return 1 if any(one.mend for one in checks) else 0


def _checks(arguments: argparse.Namespace) -> Iterator[InstallationCheck]:
    yield from _packages()
    yield _locale()
    stages = _STAGES_OF_THE_SAMPLES
    if arguments.repository is not None:
        stages = len(python_stages(arguments.repository))
        yield from _repository(arguments.repository)
    shared = small_shared_memory(stages)
    yield InstallationCheck(name="shared memory", found=f"enough for {stages} stages", mend=shared)
    temporary = Path(tempfile.gettempdir())
    yield InstallationCheck(name="temporary files", found=str(temporary), mend=full_disk(temporary))
    ports = {
        "--grpc-port": (arguments.host, arguments.grpc_port),
        "--metrics-port": (arguments.host, arguments.metrics_port),
    }
    said = "; ".join(taken_ports(ports))
    numbers = ", ".join(str(port) for _, port in ports.values())
    yield InstallationCheck(name="ports", found=f"{numbers} are free", mend=said)
    yield from _processors()


def _packages() -> Iterator[InstallationCheck]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield InstallationCheck(
        name="ernie-triton", found=f"{_version('ernie-triton')} on Python {python}"
    )
    for name in _PACKAGES:
        version = _version(name)
        if name == "numpy":
            yield InstallationCheck(name=name, found=version, mend=wrong_numpy())
        elif version:
            yield InstallationCheck(name=name, found=version)
    try:
        files = find_wheel()
    except ErnieTritonError as error:
        yield InstallationCheck(name="tritonserver", found="", mend=str(error))
        return
    yield InstallationCheck(
        name="tritonserver", found=str(files.tritonserver), mend=python_library(files)
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _locale() -> InstallationCheck:
    encoding = locale.getpreferredencoding(do_setlocale=False)
    mend = ""
    if encoding.lower().replace("-", "") != "utf8":
        mend = f"texts are read and printed as {encoding}; set LC_ALL=C.UTF-8"
    return InstallationCheck(name="locale", found=encoding, mend=mend)


def _repository(repository: Path) -> Iterator[InstallationCheck]:
    if not repository.is_dir():
        mend = f"{repository} is not a folder; build one with: ernie-triton build CHECKPOINT"
        yield InstallationCheck(name="repository", found="", mend=mend)
        return
    models = len(list(repository.glob("*/config.pbtxt")))
    mend = "; ".join(missing_programs(python_stages(repository)))
    if not models:
        mend = f"{repository} has no models; build one with: ernie-triton build CHECKPOINT"
    yield InstallationCheck(name="repository", found=f"{models} models in {repository}", mend=mend)


def _processors() -> Iterator[InstallationCheck]:
    cores = len(os.sched_getaffinity(0))
    sets = ", ".join(instruction_sets()) or "no sets for INT8 or BF16"
    yield InstallationCheck(
        name="processor", found=f"{cores} x {processor_name() or 'unnamed'}: {sets}"
    )
    try:
        gpus = CudaDriver().gpus()
    except GpuError as error:
        yield InstallationCheck(name="GPU", found=f"none ({error})")
        return
    for gpu in gpus:
        found = f"{gpu.name}, compute capability {gpu.compute_capability}, driver"
        yield InstallationCheck(name="GPU", found=f"{found} {driver_version()}")
