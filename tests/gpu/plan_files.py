"""Plans as files: a header as TensorRT writes it, and the facts of a build beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ernie_triton.gpu.driver import Gpu
from ernie_triton.gpu.plans import PlanFacts, facts_path, plan_path
from tests.gpu.fake_cuda import T4

VERSION = "10.4.0.26"
GRAPH = b"an ONNX graph"


def plan_bytes(version: str = VERSION) -> bytes:
    """The first 28 bytes as `trtexec --getPlanVersionOnly` reads them, and a body."""
    header = bytearray(28)
    header[:4] = b"ftrt"
    header[24:28] = bytes(int(part) for part in f"{version}.0".split(".")[:4])
    return bytes(header) + bytes(range(256))


def facts_of(content: bytes, gpu: Gpu = T4, **changed: Any) -> PlanFacts:
    values = {
        "tensorrt": VERSION,
        "compute_capability": gpu.compute_capability,
        "gpu": gpu.name,
        "driver": "560.35.03",
        "precision": "fp16",
        "layout": "packed",
        "graph_sha256": hashlib.sha256(GRAPH).hexdigest(),
        "plan_sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
        "profile": {"lengths": [[1], [16], [64]]},
        "builder_level": 3,
        "build_s": 61.5,
        "largest_difference": 0.001,
        "built_at": "2026-01-01T00:00:00+00:00",
    }
    return PlanFacts(**{**values, **changed})


def write_plan(
    folder: Path,
    gpu: Gpu = T4,
    *,
    version: str = VERSION,
    graph: bytes = GRAPH,
    body: bytes = b"",
    is_rtx: bool = False,
    **changed: Any,
) -> Path:
    """A plan for a GPU with its facts, beside the graph; `body` follows on the header."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(graph)
    path = plan_path(folder, gpu.compute_capability, is_rtx=is_rtx)
    content = body if is_rtx else plan_bytes(version) + body
    path.write_bytes(content)
    facts = facts_of(content, gpu, **{"tensorrt": version, **changed})
    facts_path(path).write_text(facts.to_json(), encoding="utf-8")
    return path


CONFIG = """name: "{name}_engine"
backend: "tensorrt"
max_batch_size: 64
cc_model_filenames {{
  key: "7.0"
  value: "model_sm70.plan"
}}
cc_model_filenames {{
  key: "7.5"
  value: "model_sm75.plan"
}}
"""


def write_engine_stage(repository: Path, name: str, version: int = 1, config: str = CONFIG) -> Path:
    """The engine stage of a pipeline as its configuration has it; its version folder."""
    folder = repository / f"{name}_engine" / str(version)
    folder.mkdir(parents=True)
    (folder.parent / "config.pbtxt").write_text(config.format(name=name), encoding="utf-8")
    return folder
