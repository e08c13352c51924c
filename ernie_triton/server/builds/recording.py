"""Change what a manifest says of its build's files: a later plan, a change on purpose.

Only what is named changes; damage elsewhere is still found.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ernie_triton.errors import RepositoryError
from ernie_triton.gpu.plans import file_sha256
from ernie_triton.server.builds.files import (
    build_hashes,
    build_identity,
    part_models,
    versions_of,
)
from ernie_triton.server.builds.manifest_file import (
    MANIFEST_FILE,
    read_sealed,
    replace_manifest,
)
from ernie_triton.server.builds.verification import models_of


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedBuild:
    """A build whose changes were accepted; `changes` has a phrase for each file that differed."""

    name: str
    version: int
    identity: str
    changes: tuple[str, ...]


def accept_build(repository: Path, name: str) -> AcceptedBuild:
    """Take the files of a pipeline as they are for its build.

    Raises:
        RepositoryError: there is no manifest to write them into, or it is no manifest.
    """
    version = max(versions_of(repository / name), default=0)
    path = repository / name / str(version) / MANIFEST_FILE
    content = _read_whatever(path)
    if (content.get("name"), content.get("version")) != (name, version):
        raise RepositoryError(f"{path} is not of {name} version {version}; build it again")
    before = content.get("files")
    before = before if isinstance(before, dict) else {}
    there = [model for model in part_models(name) if (repository / model).is_dir()]
    after = build_hashes(repository, models_of(name, before) if before else there, version)
    changed = {file for file in before.keys() | after.keys() if before.get(file) != after.get(file)}
    accepted = {*content.get("accepted", ()), *changed} if before else set()
    replace_manifest(path, {**_with_files(content, after), "accepted": sorted(accepted)})
    return AcceptedBuild(
        name=name,
        version=version,
        identity=build_identity(after),
        changes=tuple(_change(file, before, after) for file in sorted(changed) if before),
    )


def record_files(repository: Path, name: str, version: int, paths: Iterable[Path]) -> None:
    """Write the hashes of files that were made after the build into its manifest.

    The manifest of an earlier release, without hashes, is left as it is.

    Raises:
        RepositoryError: the manifest cannot be written.
    """
    path = repository / name / str(version) / MANIFEST_FILE
    if "files" not in _read_whatever(path):
        return
    content = read_sealed(path)
    made = {file.relative_to(repository).as_posix(): file_sha256(file) for file in paths}
    replace_manifest(path, _with_files(content, {**content["files"], **made}))


def share_files(version: Path, other: Path) -> None:
    """Tell a version's manifest of the files that it shares with another version.

    Args:
        version: a version folder of the pipeline's own model.
        other: the one whose manifest is right about the shared files.

    Raises:
        RepositoryError: one of the manifests is missing or damaged.
    """
    path = version / MANIFEST_FILE
    content, right = read_sealed(path), read_sealed(other / MANIFEST_FILE)
    own = {
        file: digest
        for file, digest in content["files"].items()
        if file.split("/")[1] == version.name
    }
    shared = {
        file: digest for file, digest in right["files"].items() if file.split("/")[1] != other.name
    }
    replace_manifest(path, _with_files(content, {**own, **shared}))


def _with_files(content: Mapping[str, Any], hashes: Mapping[str, str]) -> dict[str, Any]:
    ordered = dict(sorted(hashes.items()))
    return {**content, "files": ordered, "build": build_identity(ordered)}


def _read_whatever(path: Path) -> dict[str, Any]:
    """A manifest that may be of an earlier release or changed by hand."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RepositoryError(
            f"{path} cannot be read ({error}); build the pipeline again"
        ) from error
    if not isinstance(content, dict):
        raise RepositoryError(f"{path} is no manifest; build the pipeline again")
    return content


def _change(file: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    if file not in after:
        return f"{file} is gone"
    return f"{file} is {'changed' if file in before else 'new'}"
