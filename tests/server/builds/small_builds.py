"""Pipelines of a few small files, published by the real code; no server could run them."""

import json
from collections.abc import Sequence
from pathlib import Path

from ernie_triton.build.publish.repository import StagedPipeline
from ernie_triton.server.builds.files import build_hashes, build_identity, part_models
from ernie_triton.server.builds.manifest_file import MANIFEST_FILE, sealed_json

NAME = "p"
ENSEMBLE, JOINED = part_models(NAME), (NAME,)


def write_small_build(
    staged: StagedPipeline, content: str, models: Sequence[str], version: int
) -> None:
    """Write a build's files, different from those of another content but for the configurations."""
    for model in models:
        (staged.version_folder(model) / "model.py").write_text(
            f"from ernie_triton.backends.{model} import {content}\n"
        )
        (staged.model_folder(model) / "config.pbtxt").write_text(
            _config(model, models), encoding="utf-8"
        )
        (staged.model_folder(model) / "warmup").mkdir()
        (staged.model_folder(model) / "warmup/sample").write_text(content)
    hashes = build_hashes(staged.model_folder(NAME).parent, models, version)
    manifest = {"name": NAME, "version": version, "files": hashes}
    text = sealed_json({**manifest, "build": build_identity(hashes)})
    assert json.loads(text)["files"] == hashes
    (staged.version_folder(NAME) / MANIFEST_FILE).write_text(text)


def publish_small_build(
    repository: Path, content: str, models: Sequence[str] = ENSEMBLE, version: int = 1
) -> None:
    """Publish a build as `build` does."""
    with StagedPipeline(repository, models, version) as staged:
        write_small_build(staged, content, models, version)
        staged.publish()


def _config(model: str, models: Sequence[str]) -> str:
    """A configuration with the names that Triton reads."""
    steps = [f'  step {{\n    model_name: "{stage}"\n  }}\n' for stage in models[1:]]
    return f'name: "{model}"\n' + ("".join(steps) if model == NAME else "")
