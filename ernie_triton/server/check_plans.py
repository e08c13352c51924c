"""Check the TensorRT plans of a repository before the server starts: `check-plans`.

Imports the standard library alone, so that it costs the start of a container little.
"""

import argparse
import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import GpuError, PipelineError, PlanError
from ernie_triton.gpu.driver import CudaDriver, Gpu, driver_version, tensorrt_version
from ernie_triton.gpu.images import (
    LAST_TENSORRT_WITH_VOLTA,
    OLDEST_DRIVERS,
    VOLTA_IMAGE,
    image_tagged,
    version_of,
)
from ernie_triton.gpu.plans import check_plan, plan_path
from ernie_triton.processes.child_process import run_child
from ernie_triton.server.check_options import add_check_options
from ernie_triton.stage_names import ENGINE, pipeline_and_part, stage_name

TAG_VARIABLE = "NVIDIA_TRITON_SERVER_VERSION"
"""NVIDIA's Triton images say their release here, like `24.09`."""

_ENGINE = re.compile(r'^\s*(?:backend: "tensorrt"|platform: "tensorrt_plan")\s*$', re.MULTILINE)
_PLAN_NAMES = re.compile(r'cc_model_filenames\s*\{\s*key: "([\d.]+)"\s*value: "([^"]+)"\s*\}')
_JOINED_ENGINE = re.compile(
    r'key: "engine\.engine"\s+value \{\s+string_value: "tensorrt"', re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTarget:
    """TensorRT and GPUs that plans have to fit.

    Attributes:
        gpus: one of each compute capability that is there.
        tensorrt: version of TensorRT.
    """

    gpus: tuple[Gpu, ...]
    tensorrt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRtStage:
    """The engine stage of one pipeline that TensorRT serves; `folder` is its version's.

    Joined stages are one model of the pipeline's name, which our own stage serves.
    """

    pipeline: str
    folder: Path

    @property
    def is_joined(self) -> bool:
        """True where the stage is joined with the others."""
        return self.config.parent.name == self.pipeline

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.folder.parent / "config.pbtxt"

    def rebuild_arguments(self, repository: Path) -> list[str]:
        """Arguments of `ernie-triton` that build its plan for the GPU of this machine."""
        return [
            *("engine", "--repository", str(repository)),
            *("--name", self.pipeline, "--version", self.folder.name),
        ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = (
        "Check every TensorRT plan of a model repository against the TensorRT, the "
        "driver and the GPUs that are here. Ends with 0 where all fit (or there is none to check), "
        "with 1 where one does not."
    )
    add_check_options(parser)
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="build the plans that do not fit with `ernie-triton engine`, then check",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    stages = tuple(tensorrt_stages(arguments.repository, arguments.model))
    if not stages:
        print(f"{arguments.repository} has no TensorRT engine; there is nothing to check")
        return 0
    server = this_server()
    fitting = [
        _report(stage, server, arguments.repository, rebuild=arguments.rebuild) for stage in stages
    ]
    return 0 if all(fitting) else 1


def this_server(driver: CudaDriver | None = None, tensorrt: str | None = None) -> PlanTarget:
    """The GPUs and the TensorRT of this machine.

    Raises:
        GpuError: no GPU can be used, the driver is too old, or TensorRT no longer serves the GPU.
        PlanError: there is no TensorRT.
    """
    driver = driver or CudaDriver()
    tensorrt = tensorrt or tensorrt_version()
    gpus = {gpu.compute_capability: gpu for gpu in driver.gpus()}
    if not gpus:
        raise GpuError("the driver sees no GPU; start the container with --gpus all")
    image = image_tagged(os.environ.get(TAG_VARIABLE, ""))
    cuda = image.cuda if image else os.environ.get("CUDA_VERSION", "")
    major = cuda.partition(".")[0]
    if major.isdecimal():
        _check_driver(driver.cuda_version, cuda, int(major))
    for gpu in gpus.values():
        if version_of(gpu.compute_capability) < (7, 5) and (
            version_of(tensorrt)[:2] > LAST_TENSORRT_WITH_VOLTA
        ):
            raise GpuError(
                f"TensorRT {tensorrt} does not serve the {gpu.name} (compute capability "
                f"{gpu.compute_capability}); set TRITON_TAG={VOLTA_IMAGE.tag}, whose TensorRT "
                f"{VOLTA_IMAGE.tensorrt} is the last that does"
            )
    return PlanTarget(gpus=tuple(gpus.values()), tensorrt=tensorrt)


def _check_driver(offered: tuple[int, int], cuda: str, major: int) -> None:
    """Raise GpuError where a driver is of an older major version of CUDA than the image's."""
    if offered[0] >= major:
        return
    oldest = OLDEST_DRIVERS.get(major, f"one for CUDA {major}")
    raise GpuError(
        f"the host's driver {driver_version()} runs CUDA up to {offered[0]}.{offered[1]}, but this "
        f"image needs CUDA {cuda}; update the driver to {oldest} or newer, or set TRITON_TAG to an "
        f"image with CUDA {offered[0]}"
    )


def tensorrt_stages(
    repository: Path, pipelines: Sequence[str] = (), version: int | None = None
) -> Iterator[TensorRtStage]:
    """The engine stages in a repository that TensorRT serves.

    Args:
        repository: the model repository.
        pipelines: names; every one when empty.
        version: to look for; None for the newest, which alone is served.

    Raises:
        PlanError: the repository is no folder, or a pipeline that was asked for is not there.
    """
    if not repository.is_dir():
        raise PlanError(f"the model repository {repository} is not a folder")
    for name in pipelines:
        models = (name, stage_name(name, ENGINE))
        if not any((repository / model / "config.pbtxt").is_file() for model in models):
            raise PlanError(f"{repository} has no pipeline {name!r}; build it, or check the name")
    for config in sorted(repository.glob("*/config.pbtxt")):
        text = config.read_text(encoding="utf-8")
        pipeline, part = pipeline_and_part(config.parent.name)
        is_stage = part == ENGINE and _ENGINE.search(text) is not None
        if not is_stage and not _JOINED_ENGINE.search(text):
            continue
        if not is_stage:
            pipeline = config.parent.name
        if pipelines and pipeline not in pipelines:
            continue
        versions = [
            path
            for path in config.parent.iterdir()
            if path.name.isdecimal() and version in (None, int(path.name))
        ]
        if versions:
            newest = max(versions, key=lambda path: int(path.name))
            yield TensorRtStage(pipeline=pipeline, folder=newest)


def check_stage(stage: TensorRtStage, server: PlanTarget) -> Iterator[str]:
    """Yield a line for each GPU whose plan fits.

    Raises:
        PlanError: one does not; a new plan mends it.
        PipelineError: the pipeline is not made for the GPU.
    """
    names = dict(_PLAN_NAMES.findall(stage.config.read_text(encoding="utf-8")))
    for gpu in server.gpus:
        if gpu.compute_capability not in names and not stage.is_joined:
            advice = ", with --precision fp16 for a V100" if gpu.compute_capability == "7.0" else ""
            raise PipelineError(
                f"{stage.config} names no plan for the {gpu.name} (compute capability "
                f"{gpu.compute_capability}), only for {', '.join(sorted(names)) or 'none'}; build "
                f"the pipeline again{advice}"
            )
        facts = check_plan(stage.folder, gpu, server.tensorrt)
        yield (
            f"{plan_path(stage.folder, gpu.compute_capability)} fits: TensorRT {facts.tensorrt}, "
            f"{gpu.name} (compute capability {gpu.compute_capability}), {facts.precision}"
        )


def _report(stage: TensorRtStage, server: PlanTarget, repository: Path, *, rebuild: bool) -> bool:
    arguments = stage.rebuild_arguments(repository)
    try:
        _print_all(check_stage(stage, server))
        return True
    except PlanError as error:
        if not rebuild:
            _complain(f"{error}; run: ernie-triton {' '.join(arguments)}")
            return False
        if importlib.util.find_spec("onnx") is None:
            _complain(
                f"{error}; the extra `build` is not installed to build it: run the service `build`"
            )
            return False
        print(f"{error}; building it", file=sys.stderr, flush=True)
    done = run_child([sys.executable, "-m", "ernie_triton", *arguments])
    if done.returncode:
        return False
    try:
        _print_all(check_stage(stage, server))
    except PlanError as error:
        _complain(str(error))
        return False
    return True


def _print_all(lines: Iterator[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _complain(message: str) -> None:
    print(f"error: {message}", file=sys.stderr, flush=True)
