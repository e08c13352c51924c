"""A teacher's scores of many rows, computed in parts and stored on disk.

The name of a part's file is a digest of the teacher and the rows. So a resumed run, or another
student of the same teacher, finds the finished parts.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.batch import TokenBatch
from ernie_triton.build.convert.engine_file import write_engine
from ernie_triton.build.graph.export import export_onnx
from ernie_triton.build.load import read_source
from ernie_triton.build.load.source import WantedHead
from ernie_triton.build.model.encoder import named_arrays
from ernie_triton.build.model.models import Model, trim_model
from ernie_triton.build.progress import progress_bar
from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.engines import Engine, load_engine
from ernie_triton.errors import CheckpointError
from ernie_triton.settings import EngineSettings
from ernie_triton.training.tasks import Features, TrainingTask
from ernie_triton.training.tasks.evaluation import TorchRuntime

if TYPE_CHECKING:
    from torch import nn

ROWS_OF_A_PART = 2048


class TeacherScorer:
    """Score rows with a teacher, each part once."""

    def __init__(self, engine: Engine, identity: str, folder: Path) -> None:
        """Set up.

        Args:
            engine: the teacher as an engine.
            identity: identifies its weights and its precision.
            folder: folder of the parts; the first part makes it.
        """
        self._engine, self._identity, self._folder = engine, identity, folder

    def scores(self, rows: Sequence[Features]) -> Float32:
        """Return the logits of rows, float32 [rows, labels]."""
        parts = [rows[at : at + ROWS_OF_A_PART] for at in range(0, len(rows), ROWS_OF_A_PART)]
        return np.concatenate(
            [self._part(part) for part in progress_bar(parts, "teacher's scores")]
        )

    def _part(self, rows: Sequence[Features]) -> Float32:
        batch = TokenBatch(
            input_ids=np.concatenate([row["input_ids"] for row in rows]),
            token_type_ids=np.concatenate([row["token_type_ids"] for row in rows]),
            lengths=np.array([len(row["input_ids"]) for row in rows], np.int32),
        )
        digest = hashlib.blake2b(self._identity.encode(), digest_size=16)
        for array in (batch.input_ids, batch.token_type_ids, batch.lengths):
            digest.update(array.tobytes())
        path = self._folder / f"{digest.hexdigest()}.npy"
        if path.is_file():
            return np.asarray(np.load(path), np.float32)
        found = self._engine.run(batch)["logits"]
        self._folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".partial")
        with beside.open("wb") as file:
            np.save(file, found)
        beside.rename(path)
        return found


def teacher_scorer(
    folder: Path, module: "nn.Module", task: TrainingTask, cache: Path
) -> TeacherScorer:
    """Make the fastest scorer of a teacher on this machine.

    It is torch on a GPU, else an OpenVINO engine in bf16 on the CPU. The error of bf16 is smaller
    than the distance between student and teacher.

    Args:
        folder: the teacher's checkpoint.
        module: the teacher as a module.
        task: its training task.
        cache: folder of the parts.

    Raises:
        CheckpointError: the folder does not hold an encoder with scores.
        MissingExtraError: OpenVINO is not installed.
    """
    torch = import_torch()
    model = read_source(folder, WantedHead(head="sequence")).model
    if not isinstance(model, Model):
        raise CheckpointError(f"{folder} holds no encoder; name a fine-tuned checkpoint as teacher")
    settings = _settings(model, task)
    if torch.cuda.is_available():
        runtime: Any = TorchRuntime(module.to("cuda").eval(), ["logits"])
        engine = Engine(runtime=runtime, settings=settings("onnxruntime", "fp32", "padded"))
    else:
        engine = engine_of_model(model, settings("openvino", "bf16", "packed"))
    return TeacherScorer(engine, f"{_digest(model)} {engine.settings.precision}", cache)


def _settings(model: Model, task: TrainingTask) -> Any:  # noqa: ANN401 (a function of three strings)
    def settings(engine: str, precision: str, layout: str) -> EngineSettings:
        return EngineSettings(
            task=task.data.task,
            pair=task.data.pair,
            engine=engine,
            precision=precision,
            layout=layout,
            threads=0,
            max_length=task.max_length,
            pad_token_id=model.pad_token_id,
            vocabulary_size=model.vocabulary_size,
            token_types=model.token_types,
        )

    return settings


def engine_of_model(model: Model, settings: EngineSettings) -> Engine:
    """Build an engine of a model, and load it; no file of it is left."""
    model = trim_model(model, max_length=settings.max_length, pair=settings.pair)
    with tempfile.TemporaryDirectory(prefix="ernie-triton-") as folder:
        write_engine(export_onnx(model, settings.layout), settings.engine, Path(folder))
        return load_engine(Path(folder), settings)


def _digest(model: Model) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, array in named_arrays(model):
        digest.update(f"{name} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
