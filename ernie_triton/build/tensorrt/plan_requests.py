"""Read from a finished repository what the build of a plan needs, without the checkpoint."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ernie_triton.build.tensorrt.plan import PlanRequest
from ernie_triton.build.tensorrt.profiles import USUAL_ROWS, USUAL_TOKENS, EngineShapes
from ernie_triton.errors import PlanError
from ernie_triton.gpu.plans import GRAPH_FILE
from ernie_triton.pipeline import TensorRtBuild
from ernie_triton.server.builds.manifest_file import MANIFEST_FILE
from ernie_triton.server.check_plans import TensorRtStage, tensorrt_stages
from ernie_triton.tasks import task_named

_MAX_BATCH = re.compile(r"^max_batch_size: (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsualBatch:
    """The batch that a plan is to be fastest at; zeros for what the repository says."""

    rows: int = 0
    tokens: int = 0


def plan_requests(
    repository: Path,
    pipelines: Sequence[str],
    settings: TensorRtBuild,
    usual: UsualBatch,
    version: int | None = None,
) -> Iterator[tuple[TensorRtStage, PlanRequest]]:
    """The plans to build for the TensorRT pipelines of a repository.

    Args:
        repository: the model repository.
        pipelines: names; every one when empty.
        settings: how TensorRT builds.
        usual: the batch that the plans are to be fastest at.
        version: of the pipelines; None for the newest of each.

    Raises:
        PlanError: there is nothing to build, or a pipeline is not complete.
    """
    stages = tuple(tensorrt_stages(repository, pipelines, version))
    if not stages:
        wanted = ", ".join(pipelines) or "pipeline"
        raise PlanError(
            f"{repository} has no {wanted} with a TensorRT engine"
            f"{f' of version {version}' if version is not None else ''}; build one with "
            f"ernie-triton build … --engine tensorrt --no-plan"
        )
    for stage in stages:
        yield stage, _request(repository, stage, settings, usual)


def _request(
    repository: Path, stage: TensorRtStage, settings: TensorRtBuild, usual: UsualBatch
) -> PlanRequest:
    graph = stage.folder / GRAPH_FILE
    if not graph.is_file():
        raise PlanError(f"the graph {graph} is missing; rebuild the pipeline {stage.pipeline}")
    path = repository / stage.pipeline / stage.folder.name / MANIFEST_FILE
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        engine = manifest["engine"]
        rows = _MAX_BATCH.search(stage.config.read_text(encoding="utf-8"))
        windows = task_named(manifest["task"]).has_windows
        shapes = EngineShapes(
            layout=str(engine["layout"]),
            max_rows=int(rows[1]) if rows else int(manifest["max_batch_size"]),
            max_length=int(manifest["max_length"]),
            usual_rows=usual.rows or USUAL_ROWS,
            usual_tokens=usual.tokens or _mean_tokens(manifest, windows=windows),
        )
        precision = str(engine["precision"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlanError(
            f"the manifest {path} cannot be used ({type(error).__name__}: {error}); rebuild the "
            f"pipeline {stage.pipeline}"
        ) from error
    return PlanRequest(
        graph=graph, folder=stage.folder, precision=precision, shapes=shapes, settings=settings
    )


def _mean_tokens(manifest: dict[str, Any], *, windows: bool) -> int:
    """Full windows where there are, else what the sample texts of the build had."""
    if windows:
        return int(manifest["max_length"])
    speed = manifest.get("speed") or {}
    return round(float(speed.get("mean_tokens") or USUAL_TOKENS))
