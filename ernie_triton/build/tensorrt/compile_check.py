"""A graph compiled by TensorRT for RTX for a named GPU, on a machine that has none.

It proves that the parser of that release reads every node and that its compiler has kernels for the
GPU's architecture. It does not prove speed or exactness, nor that the TensorRT of a given Triton
image compiles the same graph: that is another release of another product, whose plans are built on
the GPU itself.
"""

import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.build.tensorrt.api import BuilderSettings, RefusedNode, TensorRt
from ernie_triton.build.tensorrt.profiles import EngineShapes, profile_of
from ernie_triton.errors import PlanError
from ernie_triton.gpu.images import GPUS, VOLTA_IMAGE, sm_of

_MIB = 1 << 20
_NO_WORK = {"signal", "wait", "shape_call", "TrainStation"}
"""Kinds of layers that only order the others."""

_HOST_COPY = "DeviceToShapeHost"
"""Kind of a layer that brings a shape from the GPU to the host, where the run waits for it."""

_KIND = re.compile(r"LayerType: (\w+)")
_TYPE = re.compile(r"Datatype: (\w+)")
_TYPES = {"Half": "fp16", "Float": "fp32", "Int8": "int8", "BFloat16": "bf16"}
_PRODUCTS = {"gemm"}
_INTEGERS = {"Int32", "Int64", "Bool"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledLayers:
    """Layers of a compiled engine, counted by the type of their first input.

    Attributes:
        products: matrix multiplications with a kernel of their own.
        others: everything else that computes with real numbers, fused as the compiler chose;
            attention is among them, and products that it fused with what follows.
        index_layers: layers of integers: shapes and places of tokens.
        host_copies: copies of a shape from the GPU to the host, for which a run waits.
        stations: further places where a run waits: the compiler's train stations.
    """

    products: dict[str, int]
    others: dict[str, int]
    index_layers: int
    host_copies: int = 0
    stations: int = 0

    @property
    def count(self) -> int:
        """All of them."""
        return sum(self.products.values()) + sum(self.others.values()) + self.index_layers


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileReport:
    """The result of compiling a graph for one GPU.

    Attributes:
        graph: what was compiled, as the user calls it.
        target: `sm75` and the like.
        refused: nodes that the parser does not take; then there is nothing else.
        network_layers: layers of the network before fusion.
        layers: of the engine; None where it was refused.
        plan_bytes: size of the plan.
        activation_bytes: GPU memory of a run of the largest shape, beside the weights.
        compile_s: seconds, parsing included.
    """

    graph: str
    target: str
    refused: tuple[RefusedNode, ...]
    network_layers: int
    layers: CompiledLayers | None
    plan_bytes: int
    activation_bytes: int
    compile_s: float

    def lines(self) -> list[str]:
        """The report for people."""
        if self.layers is None:
            nodes = [f"  unsupported: {node}" for node in self.refused]
            return [f"{self.graph} for {self.target}: {len(nodes)} nodes are unsupported", *nodes]
        return [
            f"{self.graph} for {self.target}: compiled in {self.compile_s:.1f} s, plan "
            f"{self.plan_bytes / _MIB:.1f} MiB and "
            f"{self.activation_bytes / _MIB:.0f} MiB of activations at most, no unsupported nodes",
            f"  {(self.plan_bytes + self.activation_bytes) / _MIB:.0f} MiB of GPU memory for each "
            f"instance",
            f"  {self.network_layers} layers of the network became {self.layers.count}: "
            f"matrix multiplications {_counted(self.layers.products)}; fused layers "
            f"{_counted(self.layers.others)}; {self.layers.index_layers} of indices and shapes",
            f"  {self.layers.host_copies} copies from the GPU to the host in a run, "
            f"{self.layers.stations} train stations",
        ]

    @property
    def is_good(self) -> bool:
        """True where every node is supported, and no size has to come back from the GPU."""
        return self.layers is not None and not self.layers.host_copies


def targets(tensorrt: TensorRt) -> tuple[str, ...]:
    """The GPUs that this TensorRT for RTX compiles for, like `sm75`."""
    members = tensorrt.module.ComputeCapability.__members__
    return tuple(name.lower() for name in members if name.startswith("SM"))


def check_target(tensorrt: TensorRt, target: str) -> None:
    """Raise PlanError, with what to do instead, where a target cannot be compiled for."""
    known = targets(tensorrt)
    if target in known:
        return
    kinds = {sm_of(gpu.compute_capability): gpu.name for gpu in GPUS}
    name = f"{target} ({kinds[target]})" if target in kinds else repr(target)
    advice = (
        f"on the V100 itself, with the image {VOLTA_IMAGE.tag}, run: ernie-triton engine"
        if target == "sm70"
        else "check the nearest of these, and build the plan on the GPU itself"
    )
    raise PlanError(
        f"TensorRT for RTX {tensorrt.version} does not compile for {name}, only for "
        f"{', '.join(known)}; {advice}"
    )


def compile_for(
    tensorrt: TensorRt, graph: Path, name: str, target: str, shapes: EngineShapes
) -> CompileReport:
    """Compile a graph for a GPU that need not be there.

    Args:
        tensorrt: TensorRT for RTX.
        graph: the ONNX file.
        name: what the report calls it.
        target: `sm75` and the like.
        shapes: the shapes to compile for.

    Raises:
        PlanError: the target is not known, or the compiler refuses what the parser took.
    """
    check_target(tensorrt, target)
    start = time.monotonic()
    network = tensorrt.read_graph(graph)
    if network.refused:
        return CompileReport(
            graph=name,
            target=target,
            refused=network.refused,
            network_layers=network.layers,
            layers=None,
            plan_bytes=0,
            activation_bytes=0,
            compile_s=time.monotonic() - start,
        )
    profile = profile_of(shapes, network.inputs)
    compiled = tensorrt.compile(network, profile, BuilderSettings(target=target))
    return CompileReport(
        graph=name,
        target=target,
        refused=(),
        network_layers=network.layers,
        layers=compiled_layers(compiled.layers),
        plan_bytes=len(compiled.plan),
        activation_bytes=compiled.activation_bytes,
        compile_s=time.monotonic() - start,
    )


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items())) or "none"


def compiled_layers(description: str) -> CompiledLayers:
    """Count the layers of a description.

    Args:
        description: lines of `Name: …, LayerType: …, Inputs: [ … ], Constants: …`; others are left.
    """
    products: Counter[str] = Counter()
    others: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    index_layers = 0
    for line in description.splitlines():
        kind = _KIND.search(line)
        if not line.startswith("Name: ") or kind is None:
            continue
        kinds[kind[1]] += 1
        if kind[1] in _NO_WORK:
            continue
        types = _TYPE.findall(line.partition(", Constants: ")[0])
        found = types[0] if types else "Int32"
        if found in _INTEGERS:
            index_layers += 1
        else:
            (products if kind[1] in _PRODUCTS else others)[_TYPES.get(found, found)] += 1
    return CompiledLayers(
        products=dict(products),
        others=dict(others),
        index_layers=index_layers,
        host_copies=kinds[_HOST_COPY],
        stations=kinds["TrainStation"],
    )
