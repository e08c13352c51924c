"""A plan from a finished graph: built beside, run against the graph, then put into place."""

import dataclasses
import datetime
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ernie_triton.build.progress import StepReporter, timed_step
from ernie_triton.build.tensorrt.api import (
    BuilderSettings,
    Compiled,
    TensorRt,
    load_rtx,
    load_tensorrt,
)
from ernie_triton.build.tensorrt.compile_check import check_target
from ernie_triton.build.tensorrt.plan_check import largest_difference, onnx_runner, vocabulary_size
from ernie_triton.build.tensorrt.profiles import (
    EngineShapes,
    ShapeRange,
    pipeline_shapes,
    profile_of,
)
from ernie_triton.engines.tensorrt_plan import PlanRunner, Runner
from ernie_triton.errors import PlanError
from ernie_triton.gpu.driver import CudaDriver, Gpu, driver_version
from ernie_triton.gpu.images import COMPUTE_CAPABILITIES, sm_of
from ernie_triton.gpu.plans import PlanFacts, facts_path, file_sha256, header_version, plan_path
from ernie_triton.pipeline import PipelineSpec, TensorRtBuild
from ernie_triton.server.check_plans import this_server

NO_INT8 = ("7.0",)
"""Compute capabilities without INT8 tensor cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """One plan to build.

    Attributes:
        graph: the ONNX file.
        folder: where the plan goes: the version folder of the engine stage.
        precision: of the graph.
        shapes: the shapes that the engine has to run.
        settings: how TensorRT builds.
    """

    graph: Path
    folder: Path
    precision: str
    shapes: EngineShapes
    settings: TensorRtBuild = field(default_factory=TensorRtBuild)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The TensorRT and the GPU that build and run plans; tests replace it, having no GPU.

    Attributes:
        tensorrt: the builder.
        gpu: the GPU that it builds for.
        driver: version of the GPU's driver.
        load_plan: makes a plan runnable.
        target: `sm75` and the like for TensorRT for RTX, which compiles for what it is told.
    """

    tensorrt: TensorRt
    gpu: Gpu
    driver: str
    load_plan: Callable[[TensorRt, bytes], Runner] = PlanRunner
    target: str = ""

    @property
    def is_rtx(self) -> bool:
        """True where the plan is TensorRT for RTX's."""
        return bool(self.target)

    def plan_path(self, folder: Path) -> Path:
        """The place of a plan in a folder."""
        return plan_path(folder, self.gpu.compute_capability, is_rtx=self.is_rtx)


def this_machine(*, is_rtx: bool = False) -> Machine:
    """TensorRT, or TensorRT for RTX, and the first GPU of this machine.

    Raises:
        GpuError: there is no GPU, or its driver is too old.
        MissingExtraError: TensorRT is not installed.
        PlanError: TensorRT cannot be loaded, is too old, or does not compile for this GPU.
    """
    tensorrt = load_rtx() if is_rtx else load_tensorrt()
    gpu = this_server(CudaDriver(), tensorrt.version).gpus[0]
    target = sm_of(gpu.compute_capability) if is_rtx else ""
    if is_rtx:
        check_target(tensorrt, target)
    return Machine(tensorrt=tensorrt, gpu=gpu, driver=driver_version(), target=target)


def build_plan(
    onnx_path: Path,
    spec: PipelineSpec,
    folder: Path,
    *,
    rows: int = 0,
    tokens: int = 0,
    step: StepReporter = timed_step,
) -> PlanFacts:
    """Build the plan of a pipeline for the GPU of this machine.

    Args:
        onnx_path: the finished graph, as `spec.layout` and `spec.precision` say.
        spec: the pipeline; its lengths and batches are what the plan is for.
        folder: where the plan and its facts go.
        rows: of the batch that is to be fastest; 0 for 16.
        tokens: of its rows; 0 for 32, or for full windows.
        step: reports the build and the comparison.

    Returns:
        What was built, as it stands in the JSON file beside the plan.

    Raises:
        GpuError: there is no GPU that can be used.
        PlanError: TensorRT refuses, or the GPU cannot compute in the precision.
        ExactnessError: the plan does not compute what the graph does.
        MissingExtraError: TensorRT is not installed.
    """
    request = PlanRequest(
        graph=onnx_path,
        folder=folder,
        precision=spec.precision,
        shapes=pipeline_shapes(spec, rows=rows, tokens=tokens),
        settings=spec.tensorrt,
    )
    return make_plan(request, this_machine(), step)


def make_plan(request: PlanRequest, machine: Machine, step: StepReporter) -> PlanFacts:
    """Build, check and place a plan; see `build_plan` for the errors."""
    gpu, tensorrt = machine.gpu, machine.tensorrt
    if gpu.compute_capability not in COMPUTE_CAPABILITIES:
        raise PlanError(
            f"the {gpu.name} has compute capability {gpu.compute_capability}, for which no "
            f"configuration names a plan, only for {', '.join(COMPUTE_CAPABILITIES)}; build the "
            "pipeline with --engine onnxruntime --device gpu"
        )
    if request.precision == "int8" and gpu.compute_capability in NO_INT8:
        raise PlanError(
            f"the {gpu.name} (compute capability {gpu.compute_capability}) has no INT8 tensor "
            f"cores; build the pipeline with --precision fp16"
        )
    start = time.monotonic()
    print(
        f"building a plan for the {gpu.name} with TensorRT {tensorrt.version}; this takes minutes",
        file=sys.stderr,
        flush=True,
    )
    with step("plan") as notes:
        network = tensorrt.read_graph(request.graph)
        profile = profile_of(request.shapes, network.inputs)
        compiled = tensorrt.compile(network, profile, _builder_settings(request, machine.target))
        notes.append(
            f"TensorRT {tensorrt.version} for the {gpu.name}, "
            f"{compiled.activation_bytes / (1 << 20):.0f} MiB of activations at most"
        )
    build_s = time.monotonic() - start
    _keep_timing_cache(request.settings.timing_cache, compiled)
    with step("compare plan") as notes:
        difference = largest_difference(
            machine.load_plan(tensorrt, compiled.plan),
            onnx_runner(request.graph),
            request.shapes,
            vocabulary_size(request.graph),
            request.precision,
        )
        notes.append(f"largest difference {difference:.1e} from the graph in ONNX Runtime")
    try:
        return _place(request, machine, compiled, _as_lists(profile), build_s, difference)
    except OSError as error:
        raise PlanError(f"{request.folder} cannot be written: {error}") from error


def _place(
    request: PlanRequest,
    machine: Machine,
    compiled: Compiled,
    profile: dict[str, list[list[int]]],
    build_s: float,
    difference: float,
) -> PlanFacts:
    gpu, tensorrt = machine.gpu, machine.tensorrt
    with tempfile.TemporaryDirectory(prefix=".plan-", dir=request.folder) as scratch:
        plan = Path(scratch) / machine.plan_path(request.folder).name
        plan.write_bytes(compiled.plan)
        facts = PlanFacts(
            # The header has the build number too; plans of TensorRT for RTX have another.
            tensorrt=tensorrt.version if machine.is_rtx else header_version(plan),
            compute_capability=gpu.compute_capability,
            gpu=gpu.name,
            driver=machine.driver,
            precision=request.precision,
            layout=request.shapes.layout,
            graph_sha256=file_sha256(request.graph),
            plan_sha256=file_sha256(plan),
            size_bytes=len(compiled.plan),
            profile=profile,
            builder_level=request.settings.builder_level,
            build_s=round(build_s, 1),
            largest_difference=difference,
            built_at=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            activation_bytes=compiled.activation_bytes,
        )
        facts_path(plan).write_text(facts.to_json(), encoding="utf-8")
        # Until both are there, their check sums disagree, and the plan counts as damaged.
        for path in (plan, facts_path(plan)):
            path.replace(request.folder / path.name)
    return facts


def _builder_settings(request: PlanRequest, target: str) -> BuilderSettings:
    settings = request.settings
    cache = b""
    if settings.timing_cache is not None and settings.timing_cache.is_file():
        cache = settings.timing_cache.read_bytes()
    return BuilderSettings(
        level=settings.builder_level,
        memory_mib=settings.memory_mib,
        timing_cache=cache,
        target=target,
    )


def _keep_timing_cache(path: Path | None, compiled: Compiled) -> None:
    if path is None or not compiled.timing_cache:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(compiled.timing_cache)
        Path(file.name).replace(path)
    except OSError as error:
        raise PlanError(f"the timing cache {path} cannot be written: {error}") from error


def _as_lists(profile: dict[str, ShapeRange]) -> dict[str, list[list[int]]]:
    return {
        name: [list(shape) for shape in dataclasses.astuple(shapes)]
        for name, shapes in profile.items()
    }
