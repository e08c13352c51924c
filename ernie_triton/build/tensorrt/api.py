"""The part of TensorRT's Python API that builds plans, the same for every supported version.

Every name used here was looked up in the extension modules of the wheels `tensorrt_cu12_bindings`
10.4.0, 10.9.0.34, 10.13.3.9, 11.0.0.114 and 11.4.0.106. Networks are strongly typed, the one kind
that 11 still has: what is computed in which format stands in the ONNX file. Batches are explicit
without a flag from 10 on, and 11 removed the flag.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ernie_triton.build.tensorrt.profiles import ShapeRange
from ernie_triton.build.tensorrt.progress import progress_monitor
from ernie_triton.engines.tensorrt_module import (
    RTX_NAMES,
    TENSORRT_NAMES,
    TensorRtModule,
    imported_package,
)
from ernie_triton.errors import MissingExtraError, PlanError

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedNode:
    """A node of a graph that the parser does not take; `reason` is the parser's own sentence."""

    name: str
    operator: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name or '(no name)'} ({self.operator or 'graph'}): {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A graph as TensorRT reads it; the parser owns weights of the network, the builder both.

    `refused` is empty where the graph can be compiled.
    """

    path: Path
    builder: Any
    network: Any
    parser: Any
    refused: tuple[RefusedNode, ...]

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """The shape of each input, -1 where it is free."""
        tensors = [self.network.get_input(index) for index in range(self.network.num_inputs)]
        return {tensor.name: tuple(tensor.shape) for tensor in tensors}

    @property
    def layers(self) -> int:
        """Layers of the network, before they are fused."""
        return int(self.network.num_layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """The result of a build.

    Attributes:
        plan: the serialised engine.
        timing_cache: after the build; empty where there is none.
        layers: the builder's own description of the engine.
        activation_bytes: GPU memory of a run of the largest shape, beside the weights; 0 where the
            builder does not say.
    """

    plan: bytes
    timing_cache: bytes
    layers: str
    activation_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderSettings:
    """Settings of one build.

    Attributes:
        level: optimisation level, 0 to 5.
        memory_mib: most GPU memory of the builder's tactics, in MiB; 0 is all there is.
        timing_cache: of an earlier build; empty for none.
        target: `sm75` and the like, to build for a GPU that is not there (TensorRT for RTX alone).
    """

    level: int = 3
    memory_mib: int = 0
    timing_cache: bytes = b""
    target: str = ""


class TensorRt(TensorRtModule):
    """The builder and the parser of one TensorRT module."""

    def read_graph(self, path: Path) -> Network:
        """Parse an ONNX file into a strongly typed network.

        Raises:
            PlanError: the builder cannot be made, which needs a GPU in `tensorrt`.
        """
        trt = self.module
        self.log.clear()
        builder = trt.Builder(self.log)
        if not builder:
            raise PlanError(f"TensorRT {self.version} cannot make a builder: {self.last_error()}")
        flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network = builder.create_network(flags)
        parser = trt.OnnxParser(network, self.log)
        refused: tuple[RefusedNode, ...] = ()
        if not parser.parse_from_file(str(path)):
            refused = _refused(parser)
        return Network(path=path, builder=builder, network=network, parser=parser, refused=refused)

    def compile(
        self, network: Network, profile: Mapping[str, ShapeRange], settings: BuilderSettings
    ) -> Compiled:
        """Build the plan of a network.

        Raises:
            PlanError: TensorRT refuses; the message is its own.
            KeyboardInterrupt: the user ended the build.
        """
        trt = self.module
        if network.refused:
            nodes = "; ".join(str(node) for node in network.refused)
            raise PlanError(f"TensorRT {self.version} cannot read {network.path}: {nodes}")
        config = self._config(network, settings)
        config.add_optimization_profile(self._profile(network, profile))
        config.progress_monitor = monitor = progress_monitor(trt)
        if not settings.target:  # TensorRT for RTX times nothing, and warns
            cache = config.create_timing_cache(settings.timing_cache)
            config.set_timing_cache(cache, ignore_mismatch=False)
        self.log.clear()
        plan = network.builder.build_serialized_network(network.network, config)
        if monitor.is_cancelled:
            raise KeyboardInterrupt
        if plan is None:
            raise PlanError(
                f"TensorRT {self.version} cannot compile {network.path}: {self.last_error()}"
            )
        cached = None if settings.target else config.get_timing_cache()
        return Compiled(
            plan=bytes(plan),
            timing_cache=bytes(cached.serialize()) if cached is not None else b"",
            layers=self.log.layers,
            activation_bytes=self.log.activation_bytes,
        )

    def _config(self, network: Network, settings: BuilderSettings) -> Any:  # noqa: ANN401
        trt = self.module
        config = network.builder.create_builder_config()
        # On GPUs that have it, TF32 would round the inputs of FP32 products to 10 bits.
        config.clear_flag(trt.BuilderFlag.TF32)
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        if settings.target:
            config.num_compute_capabilities = 1
            capability = getattr(trt.ComputeCapability, settings.target.upper())
            config.set_compute_capability(capability, 0)
            return config
        config.builder_optimization_level = settings.level
        if settings.memory_mib:
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.memory_mib * _MIB)
        return config

    def _profile(self, network: Network, profile: Mapping[str, ShapeRange]) -> Any:  # noqa: ANN401
        made = network.builder.create_optimization_profile()
        for index in range(network.network.num_inputs):
            tensor = network.network.get_input(index)
            if tensor.is_shape_tensor:
                raise PlanError(
                    f"{network.path} computes shapes from the values of {tensor.name}, which "
                    f"Triton's TensorRT backend cannot batch; rebuild the pipeline's graph"
                )
            shapes = profile[tensor.name]
            made.set_shape(tensor.name, shapes.least, shapes.usual, shapes.most)
        return made


def load_tensorrt() -> TensorRt:
    """TensorRT as installed for building plans.

    Raises:
        MissingExtraError: no package is installed.
        PlanError: the one that is cannot be loaded, or is too old.
    """
    module = imported_package(TENSORRT_NAMES)
    if module is None:
        raise MissingExtraError("tensorrt", "tensorrt", "building a TensorRT plan")
    return TensorRt(module)


def load_rtx() -> TensorRt:
    """TensorRT for RTX, which also compiles for GPUs that are not there.

    Raises:
        MissingExtraError: it is not installed.
        PlanError: it cannot be loaded.
    """
    module = imported_package(RTX_NAMES)
    if module is None:
        raise MissingExtraError("tensorrt_rtx", "tensorrt-rtx", "TensorRT for RTX")
    return TensorRt(module)


def _refused(parser: Any) -> tuple[RefusedNode, ...]:  # noqa: ANN401
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    return tuple(
        RefusedNode(
            name=error.node_name(), operator=error.node_operator(), reason=str(error.desc())
        )
        for error in errors
    )
