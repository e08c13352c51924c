"""The model repository: written beside, checked, then renamed into place.

A pipeline is four models. They are staged in a folder next to the repository (inside it only where
that is another file system) and take their places by renames at the end; until then the repository
is as it was, and a rename that fails puts back those before it.
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from ernie_triton.errors import RepositoryError
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
        self._scratch: Path | None = None

    def __enter__(self) -> "StagedPipeline":
        try:
            repository = self._repository.resolve()
            repository.parent.mkdir(parents=True, exist_ok=True)
            place = repository.parent
            if repository.exists():
                repository.mkdir(exist_ok=True)  # refuses a file of that name
                if place.stat().st_dev != repository.stat().st_dev:
                    place = repository
            name = f".{repository.name}-build-"
            self._scratch = Path(tempfile.mkdtemp(prefix=name, dir=place))
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
            shutil.rmtree(self._scratch, ignore_errors=True)

    def model_folder(self, model: str) -> Path:
        """The folder in which a model is being written."""
        return self._staging() / "new" / model

    def version_folder(self, model: str) -> Path:
        """The folder in which a model's version is being written."""
        return self.model_folder(model) / str(self._version)

    def publish(self) -> None:
        """Put the models into the repository; other versions that are there are kept.

        Raises:
            RepositoryError: another version needs a different configuration, or a rename failed;
                the repository is as it was.
        """
        for model in self._models:
            self._keep_other_versions(model)
        old = self._staging() / "old"
        old.mkdir()
        moved: list[str] = []
        try:
            self._repository.resolve().mkdir(exist_ok=True)
            # The ensemble last: it is of use only with its stages.
            for model in reversed(self._models):
                target = self._repository / model
                if target.exists():
                    target.rename(old / model)
                moved.append(model)
                self.model_folder(model).rename(target)
        except BaseException as error:  # Ctrl-C too
            self._put_back(moved, old)
            if not isinstance(error, OSError):
                raise
            raise RepositoryError(
                f"the repository {self._repository} cannot be written: {error}; it is as it was"
            ) from error

    def _put_back(self, moved: Sequence[str], old: Path) -> None:
        for model in moved:
            target = self._repository / model
            if target.exists():
                target.rename(self.model_folder(model))
            if (old / model).exists():
                (old / model).rename(target)

    def _keep_other_versions(self, model: str) -> None:
        present = self._repository / model
        if not present.is_dir():
            return
        versions = [
            folder
            for folder in present.iterdir()
            if folder.is_dir() and folder.name.isdecimal() and int(folder.name) != self._version
        ]
        for name in _SHARED_FILES if versions else ():
            ours, theirs = self.model_folder(model) / name, present / name
            if ours.exists() and (not theirs.exists() or ours.read_bytes() != theirs.read_bytes()):
                raise RepositoryError(
                    f"{theirs} of version {versions[0].name} would change with version "
                    f"{self._version}, and all versions share it; build under another --name or "
                    f"remove {present}"
                )
        for folder in versions:
            shutil.copytree(folder, self.model_folder(model) / folder.name)

    def _staging(self) -> Path:
        if self._scratch is None:
            raise RuntimeError("used outside of its context")
        return self._scratch
