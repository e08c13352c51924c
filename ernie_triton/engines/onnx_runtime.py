"""ONNX Runtime on CPU, the portable engine, and on CUDA where `onnxruntime-gpu` is installed.

The part for CUDA is written to ONNX Runtime's documentation and tested against a stand-in, with the
CPU's memory in the place of a GPU's. It has not been run on a GPU.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ernie_triton.arrays import Float32, Tensors
from ernie_triton.batch import ANY_ROWS
from ernie_triton.engines import output_names, thread_count
from ernie_triton.errors import EngineError
from ernie_triton.settings import EngineSettings

_WARNINGS_AND_WORSE = 3
CPU_PROVIDER, CUDA_PROVIDER = "CPUExecutionProvider", "CUDAExecutionProvider"
_SHAPES_KEPT = 64
"""Shapes of inputs whose memory on the GPU is kept for the next run."""
_TYPES: Mapping[str, npt.DTypeLike] = {"tensor(int32)": np.int32, "tensor(int64)": np.int64}


class OnnxRuntime:
    """One inference session, which takes every shape as it comes."""

    token_step = row_step = 1
    # Compared with 2,048 in FP32 on AVX2, Nano and Medium: 20 texts of 220 tokens run 1.16 times as
    # fast, of 100 to 340 tokens 1.2 times and more, 64 titles 1.05 times.
    most_cells = 1024
    most_rows = ANY_ROWS

    def __init__(self, session: Any, outputs: Sequence[str]) -> None:  # noqa: ANN401
        self._session = session
        self._outputs = outputs
        self.input_types: Mapping[str, npt.DTypeLike] = {
            item.name: _TYPES[item.type] for item in session.get_inputs()
        }

    def run(self, inputs: Tensors) -> dict[str, Float32]:
        """Execute once."""
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(inputs)), strict=True))


class CudaRuntime(OnnxRuntime):
    """One inference session on a GPU; inputs of a shape that came before reuse its memory there.

    Steps leave a few dozen shapes, as with OpenVINO. A GPU is to have large runs: 64 rows of 128
    tokens are one.
    """

    token_step = 32
    row_step = 4
    most_cells = 8192

    def __init__(self, session: Any, outputs: Sequence[str]) -> None:  # noqa: ANN401
        super().__init__(session, outputs)
        self._binding = session.io_binding()
        self._kept: dict[tuple[str, tuple[int, ...]], Any] = {}

    def run(self, inputs: Tensors) -> dict[str, Float32]:
        """Execute once; operators that compute shapes run on the CPU."""
        if len(self._kept) > _SHAPES_KEPT:
            self._kept.clear()
        for name, array in inputs.items():
            given = np.ascontiguousarray(array)
            key = name, given.shape
            if key in self._kept:
                self._kept[key].update_inplace(given)
            else:
                self._kept[key] = onnxruntime.OrtValue.ortvalue_from_numpy(given, "cuda", 0)
            self._binding.bind_ortvalue_input(name, self._kept[key])
        for name in self._outputs:  # their shapes change, so the session allocates them
            self._binding.bind_output(name, "cuda")
        self._session.run_with_iobinding(self._binding)
        return dict(zip(self._outputs, self._binding.copy_outputs_to_cpu(), strict=True))


def exact_options() -> onnxruntime.SessionOptions:
    """Options of a session whose INT8 products are exact on every x86-64 processor.

    Without VNNI, sums of unsigned times signed bytes overflow 16 bits unless this is asked for
    (onnxruntime_session_options_config_keys.h); with VNNI the option changes nothing.
    """
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def load(path: Path, settings: EngineSettings) -> OnnxRuntime:
    """Open a session on an ONNX file.

    Raises:
        EngineError: ONNX Runtime refuses it, or has CUDA and cannot start it.
    """
    on_gpu = settings.device == "gpu" and has_cuda()
    options = exact_options()
    options.intra_op_num_threads = thread_count(settings)
    # Threads spin for the next operator, but not for the next run: other stages want the core.
    # Served on two cores: 1.06 to 1.10 times the texts/s of spinning on, at any concurrency.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # Lengths change with every batch: the arena would keep a block for each.
    options.enable_cpu_mem_arena = False
    if on_gpu:
        return CudaRuntime(opened_session(path, options, CUDA_PROVIDER), output_names(settings))
    return OnnxRuntime(opened_session(path, options, CPU_PROVIDER), output_names(settings))


def has_cuda() -> bool:
    """Return whether this ONNX Runtime was built with CUDA, as `onnxruntime-gpu` is."""
    return CUDA_PROVIDER in onnxruntime.get_available_providers()


def opened_session(path: Path, options: onnxruntime.SessionOptions, provider: str) -> Any:  # noqa: ANN401
    """Open a session on an ONNX file; operators that the provider lacks run on the CPU.

    Args:
        path: the file.
        options: changed here: only warnings and worse are logged.
        provider: one of the two above.

    Raises:
        EngineError: ONNX Runtime refuses the file, or has CUDA and cannot start it.
    """
    options.log_severity_level = _WARNINGS_AND_WORSE
    try:
        session = onnxruntime.InferenceSession(
            path, options, providers=list(dict.fromkeys((provider, CPU_PROVIDER)))
        )
    except Exception as error:  # the package's error classes have no common base but this one
        reason = " ".join(str(error).split())
        raise EngineError(f"ONNX Runtime cannot load {path}: {reason}") from error
    if provider not in session.get_providers():  # a warning to ONNX Runtime, not an error
        raise EngineError(
            f"ONNX Runtime cannot start CUDA for {path}: the driver, CUDA or cuDNN is missing or "
            f"of another version; install them, or the package onnxruntime in place of "
            f"onnxruntime-gpu to serve on the CPU"
        )
    return session
