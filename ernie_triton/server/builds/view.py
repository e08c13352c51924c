"""The folder that a server really serves: snapshots of builds, under names of their own.

A build that is taken in while the server runs is called `NAME@IDENTITY`, and so are its stages. The
model NAME itself is the only one that is exchanged. Since no stage is ever replaced, no request can
meet parts of two builds. The builds that a server starts with keep their plain names, so that
statistics and dashboards know them.

Large files are hard links where the file system allows it, small ones are copies: whoever edits the
repository does not edit what is served.
"""

import contextlib
import os
import py_compile
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ernie_triton.errors import RepositoryError
from ernie_triton.server.builds.manifest_file import MANIFEST_FILE
from ernie_triton.server.builds.unfinished import (
    BuildFolder,
    locked_folder,
    remove_dead_folders,
)
from ernie_triton.server.builds.verification import (
    RepositoryState,
    VerifiedBuild,
    model_folders,
)
from ernie_triton.settings import CONFIG_FILE, EMBEDDED_CONFIG_FILE

_PREFIX = "ernie-triton-view-"
_LINKED_FROM_BYTES = 1 << 20
_NAMED = re.compile(r'\b((?:model_)?name\s*:\s*)"([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedBuild:
    """A build in the view.

    Attributes:
        build: the build, as it was verified.
        stem: begins the names of its stages: the pipeline's, or `NAME@IDENTITY`.
    """

    build: VerifiedBuild
    stem: str

    @property
    def full_name(self) -> str:
        """`NAME@IDENTITY`."""
        return f"{self.build.name}@{self.build.identity}"

    @property
    def renamed(self) -> dict[str, str]:
        """The names of its stages in the view, by those in the repository."""
        name = self.build.name
        return {m: self.stem + m.removeprefix(name) for m in self.build.models if m != name}


class View:
    """The folder of one server."""

    def __init__(self, repository: Path, place: Path | None = None) -> None:
        """Make an empty folder.

        Args:
            repository: whose builds are taken.
            place: where to make it; None chooses a place where large files of the repository can
                be linked, if possible.
        """
        self._repository = repository.resolve()
        self._beside: BuildFolder | None = None
        is_given = place is not None
        place = place or Path(tempfile.gettempdir())
        remove_dead_folders(place, _PREFIX)
        if not is_given and self._repository.stat().st_dev != place.stat().st_dev:
            with contextlib.suppress(OSError):  # read-only: then everything is copied
                self._beside = BuildFolder(self._repository)
        self._lock: int | None = None
        if self._beside is None:
            folder, self._lock = locked_folder(place, _PREFIX)
        else:
            folder = self._beside.path
        self._folder = folder
        self.models = folder / "models"
        self.models.mkdir()
        self._ensembles = folder / "ensembles"
        self._count = 0

    def take_all(self, state: RepositoryState) -> dict[str, ServedBuild]:
        """Take the verified builds under their plain names; link every other model.

        Returns:
            The builds by their pipelines.

        Raises:
            RepositoryError: the files cannot be copied.
        """
        served = {build.name: ServedBuild(build=build, stem=build.name) for build in state.whole}
        for one in served.values():
            self.take(one)
            self.exchange(one, one.build.name)
        taken = {model for build in state.whole for model in build.models}
        for model in model_folders(self._repository):
            if model not in taken:
                _link_content(self._repository / model, self.models / model)
        return served

    def take(self, served: ServedBuild) -> None:
        """Copy a build's stages into the view, and keep its public model for `exchange`.

        Raises:
            RepositoryError: the files cannot be copied.
        """
        build = served.build
        ensemble = self._ensembles / served.full_name
        try:
            with self._whole(ensemble) as folder:
                self._copy(build, build.name, folder)
                manifest = f"{build.version}/{MANIFEST_FILE}"
                shutil.copyfile(self._repository / build.name / manifest, folder / manifest)
            for model, new in served.renamed.items():
                with self._whole(self.models / new) as folder:
                    self._copy(build, model, folder)
                    _rename(folder, {model: new})
        except OSError as error:
            raise RepositoryError(
                f"{build.name} cannot be copied to {self._folder}: {error}; set TMPDIR to a folder "
                f"with room, best on the file system of {self._repository}"
            ) from error

    def exchange(self, served: ServedBuild, name: str) -> None:
        """Put a build's public model under a name, in place of what has it; nothing is loaded.

        Raises:
            RepositoryError: the files cannot be copied.
        """
        source = self._ensembles / served.full_name
        try:
            with self._whole(self.models / name) as folder:
                _copy_files(source, (path for path in source.rglob("*") if path.is_file()), folder)
                _rename(folder, {**served.renamed, served.build.name: name})
        except OSError as error:
            raise RepositoryError(f"{self.models / name} cannot be written: {error}") from error

    def forget(self, served: ServedBuild) -> None:
        """Remove a build's files."""
        for new in served.renamed.values():
            shutil.rmtree(self.models / new, ignore_errors=True)
        for folder in (self.models / served.full_name, self._ensembles / served.full_name):
            shutil.rmtree(folder, ignore_errors=True)

    def remove(self) -> None:
        """Remove the whole folder."""
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._beside is not None:
            self._beside.remove()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextlib.contextmanager
    def _whole(self, target: Path) -> Iterator[Path]:
        """Give a new folder that takes the target's place at the end."""
        self._count += 1
        beside = self._folder / f"part-{self._count}"
        beside.mkdir()
        yield beside
        target.parent.mkdir(exist_ok=True)
        if target.exists():
            old = self._folder / f"old-{self._count}"
            target.rename(old)
            beside.rename(target)
            shutil.rmtree(old, ignore_errors=True)
        else:
            beside.rename(target)

    def _copy(self, build: VerifiedBuild, model: str, folder: Path) -> None:
        source = self._repository / model
        own = (PurePosixPath(path) for path in build.files)
        inner = (path.relative_to(model) for path in own if path.parts[0] == model)
        (folder / str(build.version)).mkdir(exist_ok=True)
        _copy_files(source, (source / path for path in inner), folder)


def _link_content(source: Path, folder: Path) -> None:
    """Make a folder of links to what another holds.

    A link to the folder itself would be a danger: when the model is removed from the repository,
    Triton lists no model at all.
    """
    folder.mkdir()
    for path in source.iterdir():
        (folder / path.name).symlink_to(path)


def _copy_files(source: Path, paths: Iterable[Path], folder: Path) -> None:
    """Copy files to the same places below another folder; large ones are linked if possible."""
    for path in paths:
        target = folder / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        is_linked = False
        if path.stat().st_size >= _LINKED_FROM_BYTES:
            with contextlib.suppress(OSError):
                os.link(path.resolve(), target)
                is_linked = True
        if not is_linked:
            shutil.copyfile(path, target)
        if path.name == "model.py":
            # Written later, by the stage, it would make the model look changed to Triton.
            py_compile.compile(str(target), quiet=2)


def _rename(folder: Path, names: Mapping[str, str]) -> None:
    """Give models other names in a model's configurations."""
    for file in (CONFIG_FILE, EMBEDDED_CONFIG_FILE):
        path = folder / file
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            renamed = _NAMED.sub(lambda m: f'{m[1]}"{names.get(m[2], m[2])}"', text)
            path.write_text(renamed, encoding="utf-8")
