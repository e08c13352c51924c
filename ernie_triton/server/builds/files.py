"""The files of a build that decide an answer, their SHA-256, and the identity made of these.

A file counts wherever it lies in a folder of the pipeline's models, so a file too many is noticed
as well. Not counted are the manifest itself, hidden files, Python's caches, and other versions.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ernie_triton.gpu.plans import file_sha256
from ernie_triton.server.builds.manifest_file import MANIFEST_FILE
from ernie_triton.stage_names import PARTS, stage_name

_IDENTITY_DIGITS = 12
_CACHE = "__pycache__"


def build_hashes(repository: Path, models: Iterable[str], version: int) -> dict[str, str]:
    """SHA-256 of every file of a build, by its path relative to the repository, sorted.

    Args:
        repository: the model repository, or the folder in which a build is being written.
        models: the pipeline's models; one that is missing has no files.
        version: of the pipeline.
    """
    paths = sorted(path for model in models for path in build_paths(repository / model, version))
    return {path.relative_to(repository).as_posix(): file_sha256(path) for path in paths}


def build_identity(hashes: Mapping[str, str]) -> str:
    """Twelve hexadecimal digits that name a build: a hash over the paths and hashes of its files.

    The same files under the same names are the same build.
    """
    lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode("utf-8")).hexdigest()[:_IDENTITY_DIGITS]


def build_paths(model: Path, version: int) -> Iterator[Path]:
    """Yield the files of one model that belong to a version: its own, and those all share.

    A file directly under the name of the version's manifest is left out.
    """
    for folder, inner, names in os.walk(model, followlinks=True):
        here = Path(folder)
        inner[:] = [
            name
            for name in inner
            if name != _CACHE
            and not name.startswith(".")
            and not (here == model and name.isdecimal() and int(name) != version)
        ]
        for name in names:
            is_manifest = name == MANIFEST_FILE and here.parent == model
            if not (is_manifest or name.startswith(".")):
                yield here / name


def versions_of(model: Path) -> list[int]:
    """Numbers of a model's version folders, the newest last; Triton serves the newest."""
    if not model.is_dir():
        return []
    return sorted(
        int(path.name) for path in model.iterdir() if path.name.isdecimal() and path.is_dir()
    )


def part_models(name: str) -> tuple[str, ...]:
    """Names of the models that a pipeline of this name may have; a joined one has the first."""
    return (name, *(stage_name(name, part) for part in PARTS))
