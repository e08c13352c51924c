"""The runtimes that execute an engine, behind one loader.

A runtime is one module with a `load(path, settings)` that returns an object with `input_types` and
`run`; it is named in `RUNTIMES` and in `ernie_triton.tasks.ENGINES`.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ernie_triton.arrays import Float32, Int32, Int64, Outputs, Tensors
from ernie_triton.batch import TokenBatch
from ernie_triton.errors import EngineError, MissingExtraError
from ernie_triton.settings import EngineSettings
from ernie_triton.tasks import task_named

RUNTIMES: Mapping[str, str] = {
    "openvino": "ernie_triton.engines.openvino_runtime",
    "onnxruntime": "ernie_triton.engines.onnx_runtime",
    "tensorrt": "ernie_triton.engines.tensorrt_runtime",
}
ENGINE_FILES: Mapping[str, str] = {
    "openvino": "model.xml",
    "onnxruntime": "model.onnx",
    "tensorrt": "model.onnx",
}
"""The file of each; plans of TensorRT lie beside their graph."""

_FINE_STEPS = 8
"""Batches of more steps than this are filled up in double steps: the share of filling is the same,
and fewer shapes save 10 MB of kernels with Nano."""

_ROW_STEP = 8
"""Tokens of a single row are a multiple of this for runtimes with steps: fewer shapes."""


class Runtime(Protocol):
    """A compiled graph.

    Attributes:
        input_types: of the graph's inputs, by name.
        token_step: packed batches have a multiple of this many tokens; see `TokenBatch.packed`.
        row_step: and a multiple of this many rows.
        most_cells: of one run: rows times the longest row. It bounds the attention's memory, and
            keeps a few long texts from widening the attention of many short ones.
        most_rows: of one run.
    """

    input_types: Mapping[str, npt.DTypeLike]
    token_step: int
    row_step: int
    most_cells: int
    most_rows: int

    def run(self, inputs: Tensors) -> dict[str, Float32]:
        """Execute once; outputs are float32, by name, and stay valid after the next run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A runtime, and the settings that say how its graph takes a batch."""

    runtime: Runtime
    settings: EngineSettings

    def run(self, batch: TokenBatch) -> dict[str, Float32]:
        """The engine's outputs for a batch, float32 by name.

        [rows, …], or [tokens, …] without padding where the task has outputs of each token.
        """
        if batch.rows == 1:
            return self._run_once(batch)
        groups = list(batch.micro_batches(self.runtime.most_cells, self.runtime.most_rows))
        if len(groups) == 1:
            return self._run_once(batch)
        parts = [self._run_once(batch.select(rows)) for rows in groups]
        return {name: self._reordered(batch, groups, parts, name) for name in parts[0]}

    def _run_once(self, batch: TokenBatch) -> dict[str, Float32]:
        if self.settings.layout == "packed":
            outputs = self._feed(self._packed(batch))
            count = len(batch.input_ids) if self._is_per_token else batch.rows
            return {name: values[:count] for name, values in outputs.items()}
        feed = batch.padded(self.settings.pad_token_id, self.settings.max_length)
        outputs = self._feed(feed)
        if not self._is_per_token:
            return outputs
        real = feed["attention_mask"].astype(np.bool_)
        return {name: values[real] for name, values in outputs.items()}

    def _packed(self, batch: TokenBatch) -> dict[str, Int32]:
        """A batch in the runtime's steps."""
        token_step, row_step = self.runtime.token_step, self.runtime.row_step
        if token_step > 1 == batch.rows:
            settings = self.settings
            return batch.packed_alone(_ROW_STEP, settings.pad_token_id, settings.max_length)
        if 1 < token_step < len(batch.input_ids) / _FINE_STEPS:
            token_step, row_step = 2 * token_step, 2 * row_step
        # The row that fills a batch up must not be longer than the graph takes.
        token_step = min(token_step, self.settings.max_length)
        return batch.packed(token_step=token_step, row_step=row_step)

    def _feed(self, tensors: Mapping[str, Int32]) -> dict[str, Float32]:
        types = self.runtime.input_types
        return self.runtime.run(
            {name: tensors[name].astype(kind, copy=False) for name, kind in types.items()}
        )

    def _reordered(
        self,
        batch: TokenBatch,
        groups: Sequence[Int64],
        parts: Sequence[Outputs],
        name: str,
    ) -> Float32:
        """One output of all groups in the order of the batch's own rows."""
        joined = np.concatenate([part[name] for part in parts])
        order = np.concatenate(groups)
        if self._is_per_token:
            order = batch.token_places(order)
        restored = np.empty_like(joined)
        restored[order] = joined
        return restored

    @property
    def _is_per_token(self) -> bool:
        return task_named(self.settings.task).is_per_token


def load_engine(folder: Path, settings: EngineSettings) -> Engine:
    """Compile the engine file that a build put into a folder.

    Raises:
        EngineError: the file is missing or the runtime refuses it.
        MissingExtraError: the runtime's package is not installed.
    """
    path = folder / ENGINE_FILES[settings.engine]
    if not path.is_file():
        raise EngineError(f"the engine {path} is missing; rebuild the pipeline")
    try:
        module = import_module(RUNTIMES[settings.engine])
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "backends", f"engine {settings.engine}") from error
    return Engine(runtime=module.load(path, settings), settings=settings)


def thread_count(settings: EngineSettings) -> int:
    """The engine's threads: as set, or every core that this process may use."""
    return settings.threads or len(os.sched_getaffinity(0))


def output_names(settings: EngineSettings) -> list[str]:
    """The names of the graph's outputs, as the task has them."""
    return [output.name for output in task_named(settings.task).engine_outputs]
