"""The instances of an engine that the GPU of this machine has room for."""

from pathlib import Path

from ernie_triton.engines.onnx_runtime import has_cuda
from ernie_triton.engines.tensorrt_module import RTX_NAMES, TENSORRT_NAMES, imported_package
from ernie_triton.errors import GpuError, PipelineError
from ernie_triton.gpu.driver import CudaDriver
from ernie_triton.gpu.memory import DeviceMemory
from ernie_triton.gpu.plans import GRAPH_FILE, plan_path, read_facts
from ernie_triton.perf.tuning.setting import MOST_INSTANCES
from ernie_triton.pipeline import PipelineSpec

_SERVERS = 4
"""So many servers wait beside each other while the best are measured in turn."""

_CONTEXT_BYTES = 512 << 20
"""Room for CUDA itself in each process; not measured."""

_MIB = 1 << 20


def most_gpu_instances(spec: PipelineSpec) -> int:
    """Instances of each server of a tuning; every one takes weights and activations again.

    Of an ONNX file the activations are not known beforehand.

    Args:
        spec: a pipeline of a GPU, already built.

    Raises:
        PipelineError: the server here would not run it on a GPU, or one instance has no room.
        PlanError: the facts of its plan cannot be read.
    """
    packages = (TENSORRT_NAMES, RTX_NAMES) if spec.engine == "tensorrt" else ()
    if not any(map(imported_package, packages)) and not has_cuda():
        package = "tensorrt, tensorrt_rtx or " if packages else ""
        raise PipelineError(
            f"{spec.name} is for a GPU, and no package here runs it there; install "
            f"{package}onnxruntime-gpu in place of onnxruntime"
        )
    try:
        driver = CudaDriver()
        memory = DeviceMemory(driver)
    except GpuError as error:
        raise PipelineError(
            f"{spec.name} is for a GPU, and none can be used here: {error}; tune it on the machine "
            f"that will serve it"
        ) from error
    free = memory.free_bytes
    memory.close()
    folder = spec.repository / spec.stage("engine") / str(spec.version)
    wanted = _instance_bytes(folder, driver.gpus()[0].compute_capability)
    if free < wanted:
        raise PipelineError(
            f"an instance of {spec.name} takes {wanted // _MIB} MiB of GPU memory, but "
            f"{free // _MIB} are free; end other programs, or build it with a smaller "
            f"--max-batch-size"
        )
    return max(1, min(free // (wanted * _SERVERS), MOST_INSTANCES))


def _instance_bytes(folder: Path, compute_capability: str) -> int:
    plans = [plan_path(folder, compute_capability, is_rtx=is_rtx) for is_rtx in (False, True)]
    for plan in plans:
        if plan.is_file():
            facts = read_facts(plan)
            return facts.size_bytes + facts.activation_bytes + _CONTEXT_BYTES
    return (folder / GRAPH_FILE).stat().st_size + _CONTEXT_BYTES
