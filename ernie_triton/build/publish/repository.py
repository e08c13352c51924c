"""The model repository: written beside, checked, then renamed into place.

A pipeline is four models. They are staged in a folder next to the repository (inside it only where
that is another file system) and take their places by renames at the end; until then the repository
is as it was, and a rename that fails puts back those before it; so does the next build, or the next
server, where this one was killed.
"""

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from ernie_triton.errors import RepositoryError
from ernie_triton.server.builds.files import versions_of
from ernie_triton.server.builds.recording import share_files
from ernie_triton.server.builds.unfinished import (
    BuildFolder,
    exchanging,
    roll_back_dead_builds,
)
from ernie_triton.server.builds.verification import replaced_stages
from ernie_triton.settings import CONFIG_FILE, EMBEDDED_CONFIG_FILE

_SHARED_FILES = (CONFIG_FILE, EMBEDDED_CONFIG_FILE, "labels.txt")


class StagedPipeline:
    """The models of one pipeline on their way into a repository; a context manager.

    Leaving the context without `publish` leaves no trace.
    """

    def __init__(self, repository: Path, models: Sequence[str], version: int) -> None:
        """Name the models and the version to write.

        Args:
            repository: made if it is not there.
            models: model names, the ensemble first.
            version: number of the version directory.
        """
        self._repository = repository
        self._models = models
        self._version = version
        self._scratch: BuildFolder | None = None

    def __enter__(self) -> "StagedPipeline":
        try:
            repository = self._repository.resolve()
            repository.parent.mkdir(parents=True, exist_ok=True)
            if repository.exists():
                repository.mkdir(exist_ok=True)  # refuses a file of that name
            roll_back_dead_builds(repository)
            self._scratch = BuildFolder(repository)
            for model in self._models:
                self.version_folder(model).mkdir(parents=True)
        except OSError as error:
            raise RepositoryError(
                f"the repository {self._repository} cannot be written: {error}"
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._scratch is not None:
            self._scratch.remove()

    def model_folder(self, model: str) -> Path:
        """The folder in which a model is being written."""
        return self._staging().new / model

    def version_folder(self, model: str) -> Path:
        """The folder in which a model's version is being written."""
        return self.model_folder(model) / str(self._version)

    def publish(self) -> None:
        """Put the models into the repository; other versions that are there are kept.

        Raises:
            RepositoryError: another version needs a different configuration, or a rename failed;
                the repository is as it was.
        """
        repository = self._repository.resolve()
        for model in self._models:
            self._keep_other_versions(model)
        self._restate_other_manifests()
        try:
            repository.mkdir(exist_ok=True)
            with exchanging(repository):
                gone = replaced_stages(repository, self._models)
                # The ensemble last: it is of use only with its stages.
                self._staging().exchange(repository, self._models[::-1], gone)
        except OSError as error:
            raise RepositoryError(
                f"the repository {self._repository} cannot be written: {error}; it is as it was"
            ) from error

    def _keep_other_versions(self, model: str) -> None:
        present = self._repository / model
        versions = [number for number in versions_of(present) if number != self._version]
        for name in _SHARED_FILES if versions else ():
            ours, theirs = self.model_folder(model) / name, present / name
            if ours.exists() and (not theirs.exists() or ours.read_bytes() != theirs.read_bytes()):
                raise RepositoryError(
                    f"{theirs} of version {versions[0]} would change with version "
                    f"{self._version}, and all versions share it; build under another --name or "
                    f"remove {present}"
                )
        for number in versions:
            shutil.copytree(present / str(number), self.model_folder(model) / str(number))

    def _restate_other_manifests(self) -> None:
        """Tell the other versions' manifests of the warm-up samples, which all versions share."""
        folder = self.model_folder(self._models[0])
        for number in versions_of(folder):
            if number != self._version:
                with contextlib.suppress(RepositoryError):  # of an earlier release, or damaged
                    share_files(folder / str(number), folder / str(self._version))

    def _staging(self) -> BuildFolder:
        if self._scratch is None:
            raise RuntimeError("used outside of its context")
        return self._scratch
