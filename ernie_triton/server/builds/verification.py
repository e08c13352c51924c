"""Compare the builds of a repository with their manifests, before a server loads them."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ernie_triton.errors import RepositoryError
from ernie_triton.server.builds.files import (
    build_hashes,
    build_identity,
    part_models,
    versions_of,
)
from ernie_triton.server.builds.manifest_file import MANIFEST_FILE, read_sealed
from ernie_triton.server.builds.unfinished import reading, roll_back_dead_builds
from ernie_triton.settings import CONFIG_FILE
from ernie_triton.stage_names import pipeline_and_part

_OUR_MODEL = b"ernie_triton.backends."


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedBuild:
    """A build whose files are all as they were written.

    Attributes:
        name: the pipeline.
        version: its newest, which the server takes.
        identity: the build's twelve digits.
        models: the models of the pipeline, the one of its name first.
        files: paths of its files, relative to the repository.
        accepted: those that were changed after the build, on purpose.
    """

    name: str
    version: int
    identity: str
    models: tuple[str, ...]
    files: tuple[str, ...]
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryState:
    """The pipelines of a repository.

    Attributes:
        whole: those whose build is as it was written.
        refused: what is wrong with the others and what to do, a line for each damaged build and one
            for all that have none.
        unverified: models that no build of ours made.
    """

    whole: tuple[VerifiedBuild, ...]
    refused: tuple[str, ...]
    unverified: tuple[str, ...]


@contextlib.contextmanager
def verified_repository(repository: Path, models: Sequence[str] = ()) -> Iterator[RepositoryState]:
    """Verify the pipelines that a server is about to load; builds wait while the context is open.

    What a killed build left half-done is put back first, where the repository can be written.

    Args:
        repository: the model repository.
        models: names of pipelines to load; every one when empty.

    Raises:
        RepositoryError: a pipeline is damaged or mixed; each has one line in the message.
    """
    roll_back_dead_builds(repository)
    with reading(repository):
        state = _state_of(repository, models)
        if state.refused:
            raise RepositoryError("\n".join(state.refused))
        yield state


def check_repository(repository: Path, models: Sequence[str] = ()) -> RepositoryState:
    """Verify the pipelines as `verified_repository` does, and return their state."""
    with verified_repository(repository, models) as state:
        return state


def repository_state(repository: Path, models: Sequence[str] = ()) -> RepositoryState:
    """The state of the pipelines; see `check_repository`, which refuses."""
    roll_back_dead_builds(repository)
    with reading(repository):
        return _state_of(repository, models)


def _state_of(repository: Path, models: Sequence[str]) -> RepositoryState:
    names = model_folders(repository)
    owners = {name: owner for name in names if (owner := _owner(repository, name))}
    wanted = [owners.get(name, name) for name in models or names]
    pipelines = sorted({name for name in wanted if name in owners.values()})
    folders = {name: repository / name for name in pipelines}
    unbuilt = [name for name, at in folders.items() if at.is_dir() and not versions_of(at)]
    whole, refused = [], []
    if unbuilt:
        refused.append(
            f"{repository} holds no build yet of {', '.join(unbuilt)}, only the configuration: "
            "make build makes the samples, ernie-triton build CHECKPOINT your own"
        )
    for name in pipelines:
        if name in unbuilt:
            continue
        try:
            whole.append(verify_build(repository, name))
        except RepositoryError as error:
            refused.append(str(error))
    others = sorted({name for name in wanted if name not in pipelines and name in names})
    return RepositoryState(whole=tuple(whole), refused=tuple(refused), unverified=tuple(others))


def verify_build(repository: Path, name: str) -> VerifiedBuild:
    """The newest build of a pipeline, whole.

    Raises:
        RepositoryError: a file is damaged, missing, too much, or of another build.
    """
    try:
        version = max(versions_of(repository / name), default=0)
        content = read_build_manifest(repository, name, version)
        hashes: dict[str, str] = content["files"]
        models = models_of(name, hashes)
        _check_places(repository, name, version, models)
        found = build_hashes(repository, models, version)
        _check_same(repository, found, hashes)
    except (RepositoryError, OSError) as error:
        raise RepositoryError(
            f"the pipeline {name} is not served: {error}; build it again, or, if it was changed on "
            f"purpose: ernie-triton verify --repository {repository} --accept {name}"
        ) from error
    return VerifiedBuild(
        name=name,
        version=version,
        identity=content["build"],
        models=models,
        files=tuple(hashes),
        accepted=tuple(content.get("accepted", ())),
    )


def read_build_manifest(repository: Path, name: str, version: int) -> dict[str, Any]:
    """The manifest of a build, with `files` and `build` that agree.

    Raises:
        RepositoryError: it is missing, damaged, of another pipeline, or of an earlier release.
    """
    path = repository / name / str(version) / MANIFEST_FILE
    content = read_sealed(path)
    hashes = content.get("files")
    if not isinstance(hashes, dict) or build_identity(hashes) != content.get("build"):
        raise RepositoryError(f"{path} has no checksums of the files, as in earlier releases")
    if (content.get("name"), content.get("version")) != (name, version):
        raise RepositoryError(
            f"{path} is of {content.get('name')} version {content.get('version')}"
        )
    return content


def models_of(name: str, paths: Iterable[str]) -> tuple[str, ...]:
    """The models that a build's files lie in, the pipeline's own first."""
    return tuple(dict.fromkeys((name, *(path.partition("/")[0] for path in paths))))


def replaced_stages(repository: Path, models: Sequence[str]) -> list[str]:
    """Stages in a repository that a new build of the same pipeline does not have.

    Args:
        repository: the model repository.
        models: the new build's models, the pipeline's own first.
    """
    name = models[0]
    listed: set[str] = set()
    with contextlib.suppress(RepositoryError):
        content = read_build_manifest(
            repository, name, max(versions_of(repository / name), default=0)
        )
        listed.update(models_of(name, content["files"]))
    return [
        model
        for model in _other_stages(repository, name, models)
        if model in listed or _runs_our_code(repository / model)
    ]


def _other_stages(repository: Path, name: str, models: Sequence[str]) -> list[str]:
    folders = {model: repository / model for model in part_models(name) if model not in models}
    return [
        model for model, folder in folders.items() if folder.is_dir() and not _has_manifest(folder)
    ]


def _check_places(repository: Path, name: str, version: int, models: Sequence[str]) -> None:
    """Refuse folders that the server would load instead of the build's, or beside them."""
    for model in models:
        newer = [number for number in versions_of(repository / model) if number > version]
        if newer:
            raise RepositoryError(
                f"{repository / model / str(newer[-1])} is of another build than version {version}"
            )
    for model in _other_stages(repository, name, models):
        if _runs_our_code(repository / model):
            raise RepositoryError(f"{repository / model} is of another build")


def _check_same(repository: Path, found: dict[str, str], expected: dict[str, str]) -> None:
    missing = [f"{repository / path} is missing" for path in expected if path not in found]
    added = [f"{repository / path} is not of this build" for path in found if path not in expected]
    changed = [
        f"{repository / path} is damaged, changed, or of another build"
        for path, digest in expected.items()
        if found.get(path, digest) != digest
    ]
    problems = [*missing, *changed, *added]
    if problems:
        others = f" (and {len(problems) - 1} more files)" if len(problems) > 1 else ""
        raise RepositoryError(problems[0] + others)


def model_folders(repository: Path) -> list[str]:
    """Names of the folders that a server would take for models."""
    return sorted(
        path.name
        for path in repository.iterdir()
        if path.is_dir()
        and not path.name.startswith(".")
        and ((path / CONFIG_FILE).is_file() or versions_of(path))
    )


def _owner(repository: Path, model: str) -> str:
    """The pipeline that a model belongs to; empty for a model that is not ours.

    A stage without its pipeline, or a pipeline without its manifest, is ours as well: something of
    it is missing.
    """
    folder = repository / model
    if _has_manifest(folder):
        return model
    pipeline, _ = pipeline_and_part(model)
    if _has_manifest(repository / pipeline):
        return pipeline
    stages = [folder, *(repository / name for name in part_models(pipeline))]
    return pipeline if any(map(_runs_our_code, stages)) else ""


def _has_manifest(folder: Path) -> bool:
    return any((folder / str(number) / MANIFEST_FILE).is_file() for number in versions_of(folder))


def _runs_our_code(folder: Path) -> bool:
    """Return True for a model whose `model.py` is one of those that a build writes."""
    scripts = (folder / str(number) / "model.py" for number in versions_of(folder))
    return any(_OUR_MODEL in script.read_bytes() for script in scripts if script.is_file())
