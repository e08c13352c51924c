"""OpenVINO on CPU: the default engine there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import openvino

from ernie_triton.arrays import Float32, Tensors
from ernie_triton.batch import ANY_ROWS
from ernie_triton.engines import output_names, thread_count
from ernie_triton.errors import EngineError
from ernie_triton.settings import EngineSettings

# OpenVINO's own default is bf16 where the CPU has it, so the precision is always named.
_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}

_KERNELS_KEPT = "64"
"""Kernels of each kind, for earlier shapes. The plugin's own limit of 5,000 takes 20 MB more on
mixed batches of Nano, and is no faster."""


class OpenVinoRuntime:
    """One compiled model and its inference request.

    OpenVINO's CPU plugin makes kernels for each new shape and keeps them. Shapes of packed batches
    rarely repeat: kernels took a third of the time and a gigabyte of memory (OpenVINO 2026.4).
    Steps leave a few dozen shapes.
    """

    token_step = 32
    row_step = 4
    # Compared with 8,192 in INT8: 32 titles, 5 % of them of 128 tokens, run 1.4 times as fast with
    # Nano and 1.2 with Medium; 64 titles alone are 5 to 13 % slower.
    most_cells = 2048
    most_rows = ANY_ROWS

    def __init__(self, compiled: Any, outputs: Sequence[str]) -> None:  # noqa: ANN401
        self._request = compiled.create_infer_request()
        # A port may have further names, from optimisations of the graph.
        ports = [port.get_names() for port in compiled.outputs]
        missing = [name for name in outputs if not any(name in names for names in ports)]
        if missing:
            raise EngineError(f"the graph has no output {missing[0]!r}; rebuild the pipeline")
        self._outputs = {
            name: next(index for index, names in enumerate(ports) if name in names)
            for name in outputs
        }
        self.input_types: Mapping[str, npt.DTypeLike] = {
            port.get_any_name(): port.get_element_type().to_dtype() for port in compiled.inputs
        }

    def run(self, inputs: Tensors) -> dict[str, Float32]:
        """Execute once."""
        results = self._request.infer(dict(inputs), share_inputs=True)
        return {name: results[index] for name, index in self._outputs.items()}


def load(path: Path, settings: EngineSettings) -> OpenVinoRuntime:
    """Compile a `model.xml` with its `model.bin` beside it, or an ONNX file.

    Raises:
        EngineError: OpenVINO refuses it.
    """
    core = openvino.Core()
    try:
        compiled = core.compile_model(
            path,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _precision_hint(core, settings.precision),
                "PERFORMANCE_HINT": "LATENCY",
                "NUM_STREAMS": "1",
                "INFERENCE_NUM_THREADS": str(thread_count(settings)),
                "CPU_RUNTIME_CACHE_CAPACITY": _KERNELS_KEPT,
            },
        )
        return OpenVinoRuntime(compiled, output_names(settings))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise EngineError(f"OpenVINO cannot compile {path}: {reason}") from error


def _precision_hint(core: Any, precision: str) -> str:  # noqa: ANN401
    """OpenVINO's name of a precision; for the unquantised part of INT8, the CPU's fastest."""
    if precision != "int8":
        return _PRECISIONS[precision]
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if "BF16" in able else "f32"
