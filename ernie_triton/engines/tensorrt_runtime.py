"""TensorRT on the first NVIDIA GPU, and TensorRT for RTX, from the plans beside a graph.

Without a GPU, or without the package of either, the graph itself is run by ONNX Runtime. Tested
against stand-ins for TensorRT and for the CUDA driver, not on a GPU.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Float32, Tensors
from ernie_triton.engines import Runtime
from ernie_triton.engines.tensorrt_module import (
    RTX_NAMES,
    TENSORRT_NAMES,
    TensorRtModule,
    imported_package,
)
from ernie_triton.engines.tensorrt_plan import PlanRunner
from ernie_triton.errors import MissingExtraError, NoGpuError, PlanError
from ernie_triton.gpu.driver import CudaDriver, Gpu
from ernie_triton.gpu.memory import DeviceMemory
from ernie_triton.gpu.plans import check_plan, plan_path
from ernie_triton.settings import EngineSettings
from ernie_triton.tasks import INPUT_IDS, LENGTHS


class TensorRtRuntime:
    """A plan, which takes every shape of its profile as it comes: nothing is filled up.

    One run takes as much as the plan does.
    """

    token_step = row_step = 1

    def __init__(self, run: PlanRunner) -> None:
        """Take what the plan says of its shapes."""
        self._run = run
        self.input_types: Mapping[str, npt.DTypeLike] = run.input_types
        rows = LENGTHS if LENGTHS in run.input_types else INPUT_IDS.name
        self.most_rows = run.largest_shape(rows)[0]
        self.most_cells = int(np.prod(run.largest_shape(INPUT_IDS.name)))

    def run(self, inputs: Tensors) -> dict[str, Float32]:
        """Execute once."""
        found = self._run(inputs)
        return {name: array.astype(np.float32, copy=False) for name, array in found.items()}


_NAMES = (TENSORRT_NAMES, RTX_NAMES)


def load(path: Path, settings: EngineSettings) -> Runtime:
    """Load the plan beside a graph, or open the graph in ONNX Runtime.

    Raises:
        EngineError: ONNX Runtime refuses the graph.
        GpuError: the driver does not work.
        MissingExtraError: there is a GPU, and no package that runs anything there.
        PlanError: no plan fits this GPU and the package.
    """
    driver = _driver() if settings.device == "gpu" else None
    names = _NAMES if driver is not None else ()
    packages = [TensorRtModule(m) for m in map(imported_package, names) if m is not None]
    if driver is not None and packages:
        return _planned(path.parent, driver, packages)
    from ernie_triton.engines import onnx_runtime

    if driver is not None and not onnx_runtime.has_cuda():
        raise MissingExtraError("tensorrt", "tensorrt", "an engine on this machine's GPU")
    return onnx_runtime.load(path, settings)


def _driver() -> CudaDriver | None:
    """The driver of a machine with a GPU."""
    try:
        driver = CudaDriver()
    except NoGpuError:
        return None
    return driver if driver.gpus() else None


def _planned(
    folder: Path, driver: CudaDriver, packages: Sequence[TensorRtModule]
) -> TensorRtRuntime:
    gpu = driver.gpus()[0]
    tensorrt = _package_with_plan(packages, folder, gpu)
    try:
        check_plan(folder, gpu, tensorrt.version, is_rtx=tensorrt.is_rtx)
    except PlanError as error:
        option = " --rtx" if tensorrt.is_rtx else ""
        raise PlanError(
            f"{error}; run: ernie-triton engine{option} --repository REPOSITORY"
        ) from error
    plan = plan_path(folder, gpu.compute_capability, is_rtx=tensorrt.is_rtx)
    return TensorRtRuntime(PlanRunner(tensorrt, plan.read_bytes(), DeviceMemory(driver)))


def _package_with_plan(
    packages: Sequence[TensorRtModule], folder: Path, gpu: Gpu
) -> TensorRtModule:
    """The first package that has a plan here, or the first of all."""
    for one in packages:
        if plan_path(folder, gpu.compute_capability, is_rtx=one.is_rtx).is_file():
            return one
    return packages[0]
