"""TensorRT plans beside their ONNX graph, and the check that a server here can load them.

A plan fits one version of TensorRT and one compute capability. Its name says the latter
(`model_sm75.plan`), and the JSON beside it (`model_sm75.json`) everything else. Plans of TensorRT
for RTX are `model_rtx_sm75.plan`.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import PlanError
from ernie_triton.gpu.driver import Gpu
from ernie_triton.gpu.images import sm_of

GRAPH_FILE = "model.onnx"
_HEADER_BYTES = 28
_MAGIC, _RTX_MAGIC = b"ftrt", b"vtrt"
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFacts:
    """Facts about one plan, kept beside it as JSON.

    Attributes:
        tensorrt: version of the TensorRT that built it.
        compute_capability: of the GPU that it was built on and is for, like `7.5`.
        gpu: that GPU's name.
        driver: version of the driver at the build.
        precision: of the graph.
        layout: of the graph's inputs.
        graph_sha256: of the ONNX file that it was built from.
        plan_sha256: of the plan itself.
        size_bytes: of the plan.
        profile: for each input the smallest, the most used and the largest shape.
        builder_level: optimisation level of the build.
        build_s: seconds that the build took.
        largest_difference: of an output from the graph's in ONNX Runtime on sample batches.
        built_at: ISO 8601, UTC.
        activation_bytes: GPU memory of a run of the largest shape, beside the plan; 0 where the
            builder did not say.
    """

    tensorrt: str
    compute_capability: str
    gpu: str
    driver: str
    precision: str
    layout: str
    graph_sha256: str
    plan_sha256: str
    size_bytes: int
    profile: Mapping[str, Sequence[Sequence[int]]]
    builder_level: int
    build_s: float
    largest_difference: float
    built_at: str
    activation_bytes: int = 0

    def to_json(self) -> str:
        """The facts as indented JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=2) + "\n"


def plan_path(folder: Path, compute_capability: str, *, is_rtx: bool = False) -> Path:
    """Path of the plan for a compute capability, of TensorRT or of TensorRT for RTX."""
    return folder / f"model_{'rtx_' if is_rtx else ''}{sm_of(compute_capability)}.plan"


def facts_path(plan: Path) -> Path:
    """Path of the facts of a plan."""
    return plan.with_suffix(".json")


def read_facts(plan: Path) -> PlanFacts:
    """The facts beside a plan.

    Raises:
        PlanError: they are missing, or not those of this version.
    """
    path = facts_path(plan)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PlanError(f"the facts {path} cannot be read ({error})") from error
    fields = dataclasses.fields(PlanFacts)
    kinds = {item.name: item.type for item in fields}
    needed = {item.name for item in fields if item.default is dataclasses.MISSING}
    if (
        not isinstance(content, dict)
        or not needed <= set(content) <= set(kinds)
        or any(kinds[name] is str and not isinstance(text, str) for name, text in content.items())
    ):
        raise PlanError(f"the facts {path} are not those of this version of ernie-triton")
    return PlanFacts(**content)


def header_version(plan: Path) -> str:
    """The version of TensorRT in a plan's first bytes, like `10.4.0.26`.

    The layout is the one that NVIDIA's `trtexec --getPlanVersionOnly` reads (`printPlanVersion` of
    samples/common/sampleEngines.cpp): the tag `ftrt`, a 32-bit 0, and four bytes from 24 on.

    Raises:
        PlanError: the file does not begin as a plan does.
    """
    with plan.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if header[:4] == _RTX_MAGIC:
        raise PlanError(f"{plan} is a plan of TensorRT for RTX, which Triton does not load")
    if len(header) < _HEADER_BYTES or header[:4] != _MAGIC or any(header[4:8]):
        raise PlanError(f"{plan} is not a TensorRT plan: it begins with {header[:8]!r}")
    return ".".join(str(part) for part in header[24:28])


def file_sha256(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def same_release(one: str, other: str) -> bool:
    """Compare two versions of TensorRT by major, minor and patch."""
    return one.split(".")[:3] == other.split(".")[:3]


def check_plan(folder: Path, gpu: Gpu, tensorrt: str, *, is_rtx: bool = False) -> PlanFacts:
    """The facts of the plan for a GPU, if a server with this TensorRT can load it.

    Args:
        folder: the version folder of an engine stage.
        gpu: the GPU to serve on.
        tensorrt: version of the server's TensorRT.
        is_rtx: it is TensorRT for RTX.

    Raises:
        PlanError: the plan is missing, damaged, out of date, or of another TensorRT or GPU.
    """
    plan = plan_path(folder, gpu.compute_capability, is_rtx=is_rtx)
    graph = folder / GRAPH_FILE
    if not plan.is_file():
        there = ", ".join(sorted(path.name for path in folder.glob("model_*.plan"))) or "none"
        raise PlanError(
            f"{folder} has no plan for the {gpu.name} (compute capability "
            f"{gpu.compute_capability}), expected {plan.name}; plans there: {there}"
        )
    facts = read_facts(plan)
    _check_whole(plan, facts, is_rtx=is_rtx)
    if facts.compute_capability != gpu.compute_capability:
        raise PlanError(
            f"{plan} was built on a {facts.gpu} for compute capability "
            f"{facts.compute_capability}, but this is a {gpu.name} with {gpu.compute_capability}"
        )
    if not same_release(facts.tensorrt, tensorrt):
        raise PlanError(
            f"{plan} was built with TensorRT{' for RTX' if is_rtx else ''} {facts.tensorrt}, but "
            f"the server has {tensorrt}"
        )
    if graph.is_file() and file_sha256(graph) != facts.graph_sha256:
        raise PlanError(f"{plan} was built from another graph than {graph} is now")
    return facts


def _check_whole(plan: Path, facts: PlanFacts, *, is_rtx: bool) -> None:
    size = plan.stat().st_size
    if size != facts.size_bytes:
        raise PlanError(
            f"{plan} is cut short or damaged: {size} bytes, expected {facts.size_bytes}"
        )
    if not is_rtx:  # whose header has no version that is documented
        version = header_version(plan)
        if not same_release(version, facts.tensorrt):
            raise PlanError(
                f"{plan} says that TensorRT {version} built it, its facts say {facts.tensorrt}"
            )
    if file_sha256(plan) != facts.plan_sha256:
        raise PlanError(f"{plan} is damaged: its SHA-256 is not the one of its build")
