"""Run a graph in ONNX Runtime, or a model in PyTorch, with its inputs and outputs on one device."""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from ernie_triton.arrays import Float32, Tensors
from ernie_triton.engines.onnx_runtime import (
    CPU_PROVIDER,
    CUDA_PROVIDER,
    exact_options,
    has_cuda,
    opened_session,
)


def best_provider() -> str:
    """CUDA where ONNX Runtime has it, as the package `onnxruntime-gpu` does; otherwise the CPU."""
    return CUDA_PROVIDER if has_cuda() else CPU_PROVIDER


class DeviceSession:
    """A session whose inputs lie on the device before a run and whose outputs stay there."""

    def __init__(self, graph: Path, provider: str) -> None:
        """Open a session; operators that the provider lacks run on the CPU.

        Raises:
            EngineError: ONNX Runtime refuses the graph, or cannot use the provider.
        """
        self._graph = graph
        self._provider = provider
        self._device = "cuda" if provider == CUDA_PROVIDER else "cpu"
        self._session = opened_session(graph, exact_options(), provider)

    def bound(self, feed: Tensors) -> Any:  # noqa: ANN401
        """Copy one batch to the device; the binding is what `run` takes, any number of times."""
        binding = self._session.io_binding()
        for item in self._session.get_inputs():
            array = np.ascontiguousarray(feed[item.name])
            value = onnxruntime.OrtValue.ortvalue_from_numpy(array, self._device, 0)
            binding.bind_ortvalue_input(item.name, value)
        for item in self._session.get_outputs():
            binding.bind_output(item.name, self._device)
        return binding

    def run(self, binding: Any) -> None:  # noqa: ANN401
        """Execute once; returns when the device is done."""
        self._session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    def outputs(self, feed: Tensors) -> list[Float32]:
        """Execute once, and copy the outputs back."""
        binding = self.bound(feed)
        self.run(binding)
        found: list[Float32] = binding.copy_outputs_to_cpu()
        return found

    def operators_on_cpu(self, feed: Tensors) -> Mapping[str, int]:
        """The operators of a run that ONNX Runtime gave to the CPU, and how many of each.

        Small ones that compute shapes belong there, beside a GPU.
        """
        options = exact_options()
        options.enable_profiling = True
        with tempfile.TemporaryDirectory() as folder:
            options.profile_file_prefix = f"{folder}/profile"
            session = opened_session(self._graph, options, self._provider)
            session.run(None, {item.name: feed[item.name] for item in session.get_inputs()})
            events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        found = [event.get("args", {}) for event in events if event.get("cat") == "Node"]
        return Counter(one["op_name"] for one in found if one.get("provider") == CPU_PROVIDER)


def runs_per_s(run: Callable[[Any], object], batches: Sequence[Any], seconds: float) -> float:
    """Runs per second, over batches in turn; each ran once before."""
    for batch in batches:
        run(batch)
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds or not count:
        run(batches[count % len(batches)])
        count += 1
    return count / spent if spent else 0.0


class TorchModel:
    """A classifier of transformers in PyTorch, on the GPU in FP16 or on the CPU in FP32."""

    def __init__(self, classifier: Any) -> None:  # noqa: ANN401
        """Move a classifier to the device."""
        import torch

        self._torch = torch
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        kind = torch.float16 if self.device == "cuda" else torch.float32
        self._model = classifier.to(self.device, kind)

    def bound(self, feed: Tensors) -> dict[str, Any]:
        """Copy one padded batch to the device."""
        torch = self._torch
        return {
            name: torch.from_numpy(values.astype(np.int64)).to(self.device)
            for name, values in feed.items()
        }

    def run(self, batch: Mapping[str, Any]) -> None:
        """Execute once; returns when the device is done."""
        self._logits(batch)
        if self.device == "cuda":
            self._torch.cuda.synchronize()

    def outputs(self, feed: Tensors) -> Float32:
        """Execute once, and copy the logits back."""
        found: Float32 = self._logits(self.bound(feed)).float().cpu().numpy()
        return found

    def _logits(self, batch: Mapping[str, Any]) -> Any:  # noqa: ANN401
        with self._torch.inference_mode():
            return self._model(**batch).logits
