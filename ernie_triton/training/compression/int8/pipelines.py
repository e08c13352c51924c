"""INT8 pipelines of a quantised checkpoint, in memory and as TOML."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ernie_triton.errors import PipelineError
from ernie_triton.pipeline import PipelineSpec, Quantization, TensorRtBuild, load_pipeline

if TYPE_CHECKING:
    from ernie_triton.training.datasets import DataSet

CPU_PIPELINE, GPU_PIPELINE = "pipeline.toml", "pipeline.gpu.toml"
REPOSITORY = "model_repository"


def int8_pipeline(
    checkpoint: Path,
    data: "DataSet",
    calibration: Path,
    *,
    engine: str,
    max_length: int,
    calibrator: str,
    allowed_loss: float,
) -> PipelineSpec:
    """Make the INT8 pipeline of a checkpoint, checked on the task's development data.

    Args:
        checkpoint: folder of the model.
        data: the task's data.
        calibration: file of texts.
        engine: the runtime; for TensorRT the build makes and checks the graph, not the plan.
        max_length: most tokens of a row.
        calibrator: method to choose ranges.
        allowed_loss: most points to lose against FP32.
    """
    return PipelineSpec(
        checkpoint=checkpoint,
        task=data.task,
        repository=checkpoint / REPOSITORY,
        pair=data.pair,
        max_length=max_length,
        engine=engine,
        precision="int8",
        quantization=Quantization(
            calibration=calibration,
            calibrator=calibrator,
            data=data.dev_path,
            allowed_loss=allowed_loss,
        ),
        tensorrt=TensorRtBuild(plan=False),
    )


def write_pipeline(spec: PipelineSpec, path: Path, heading: str) -> None:
    """Write a pipeline of `int8_pipeline` as TOML, and read it back.

    Paths are relative to the file, so that the folder can be moved.

    Args:
        spec: the pipeline.
        path: the file; its folder may be renamed to a sibling's name afterwards.
        heading: a comment for the first line.

    Raises:
        PipelineError: the file does not read back as the pipeline.
    """
    folder = path.resolve().parent
    int8, is_gpu = spec.quantization, spec.engine == "tensorrt"
    top = {
        "task": spec.task,
        "checkpoint": _relative(spec.checkpoint, folder),
        "repository": _relative(spec.repository, folder),
        "pair": spec.pair,
        "max_length": spec.max_length,
        "engine": spec.engine,
        "precision": spec.precision,
    }
    quantization = {
        "calibration": _relative(int8.calibration, folder),
        "calibrator": int8.calibrator,
        "data": _relative(int8.data, folder),
        "allowed_loss": int8.allowed_loss,
    }
    tables = [("", top), ("quantization", quantization)]
    if is_gpu:
        tables.append(("tensorrt", {"plan": False}))
    text = f"# {heading}\n" + "\n".join(_table(name, values) for name, values in tables)
    path.write_text(text, encoding="utf-8")
    _check(load_pipeline(path), spec, path)


def _check(says: PipelineSpec, wanted: PipelineSpec, path: Path) -> None:
    pairs = [(says.checkpoint, wanted.checkpoint), (says.repository, wanted.repository)]
    for name in ("calibration", "data"):
        pairs.append((getattr(says.quantization, name), getattr(wanted.quantization, name)))
    same = all(_real(one) == _real(other) for one, other in pairs)
    plain = ("task", "pair", "max_length", "engine", "precision")
    if not (same and all(getattr(says, name) == getattr(wanted, name) for name in plain)):
        raise PipelineError(f"{path} does not read back as the pipeline written: {says}")


def _real(path: Path | None) -> str:
    return os.path.realpath(path or "")


def _relative(path: Path | None, folder: Path) -> str:
    return os.path.relpath(os.path.realpath(path or ""), os.path.realpath(folder))


def _table(name: str, values: Mapping[str, object]) -> str:
    head = [f"[{name}]"] if name else []
    # JSON's strings, numbers and booleans are TOML's too.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join([*head, *lines]) + "\n"
