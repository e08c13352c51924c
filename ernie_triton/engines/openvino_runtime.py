"""OpenVINO on CPU: the default engine there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino

from ernie_triton.engines import output_names, thread_count
from ernie_triton.errors import EngineError
from ernie_triton.stage_settings import EngineSettings

# OpenVINO's own default is bf16 where the CPU has it, so the precision is always named.
_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoRuntime:
    """One compiled model and its inference request."""

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

    def run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        """Execute once."""
        results = self._request.infer(dict(inputs), share_inputs=True)
        return {name: results[index] for name, index in self._outputs.items()}


def load(path: Path, settings: EngineSettings) -> OpenVinoRuntime:
    """Compile a `model.xml` with its `model.bin` beside it, or an ONNX file.

    Raises:
        EngineError: OpenVINO refuses it.
    """
    try:
        compiled = openvino.Core().compile_model(
            path,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _PRECISIONS[settings.precision],
                "PERFORMANCE_HINT": "LATENCY",
                "NUM_STREAMS": "1",
                "INFERENCE_NUM_THREADS": str(thread_count(settings)),
            },
        )
        return OpenVinoRuntime(compiled, output_names(settings))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise EngineError(f"OpenVINO cannot compile {path}: {reason}") from error
