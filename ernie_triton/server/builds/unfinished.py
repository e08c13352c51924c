"""Builds on their way into a repository: their folder, its lock, and the way back.

A build writes into a folder beside the repository and locks it; the system takes the lock away when
the build ends, however it ends. Before the first rename the build notes in a journal what it will
rename; removing the journal is the moment at which the new build counts. A dead build with a
journal is rolled back from it, so that the repository is as it was.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ernie_triton.errors import RepositoryError

_JOURNAL = "journal"
_ADDED, _REMOVED = "+", "-"
_LOCK_TIMEOUT_S = 30.0
_LOCK_POLL_S = 0.05


class BuildFolder:
    """A build's own folder, locked while this process lives.

    Attributes:
        path: the folder.
        new: where the models are written.
        old: where those that they replace are kept until the end.
    """

    def __init__(self, repository: Path) -> None:
        """Make the folder beside the repository, or inside where that is another file system."""
        self.path, self._lock = locked_folder(_place(repository), _prefix(repository))
        self.new, self.old = self.path / "new", self.path / "old"

    def remove(self) -> None:
        """Remove the folder, then give its lock back."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    def exchange(self, repository: Path, models: Sequence[str], gone: Sequence[str]) -> None:
        """Put the new models into the repository, which is as it was after any error.

        Args:
            repository: the model repository.
            models: names of the new models, the pipeline's own last.
            gone: models of the old build that the new one does not have.
        """
        self.old.mkdir()
        lines = [*(f"{_ADDED}{name}\n" for name in models), *(f"{_REMOVED}{n}\n" for n in gone)]
        beside = self.path / f"{_JOURNAL}.part"
        beside.write_text("".join(lines), encoding="utf-8")
        journal = self.path / _JOURNAL
        beside.rename(journal)
        try:
            for model in (*gone, *models):
                target = repository / model
                if target.exists():
                    target.rename(self.old / model)
                if model in models:
                    (self.new / model).rename(target)
            journal.unlink()
        except BaseException:  # Ctrl-C too
            _roll_back(self.path, repository)
            raise


def roll_back_dead_builds(repository: Path) -> None:
    """Undo what builds that died left half-done, and remove their folders.

    Where that cannot be written nothing happens: the repository may be read-only.
    """
    repository = repository.resolve()
    with contextlib.suppress(OSError, RepositoryError):
        if not repository.is_dir():
            _undo_dead_builds(repository)
        elif _build_folders(repository):
            with exchanging(repository):
                pass


@contextlib.contextmanager
def exchanging(repository: Path) -> Iterator[None]:
    """Hold the repository for one exchange of models, after undoing those of dead builds.

    Raises:
        RepositoryError: another build, or a server that verifies, holds it for long.
    """
    with _opened(repository) as handle:
        if not _is_locked(handle, fcntl.LOCK_EX):
            raise RepositoryError(
                f"{repository} is held by another process for more than {_LOCK_TIMEOUT_S:g} s; end "
                f"that build or server, then build again"
            )
        _undo_dead_builds(repository)
        yield


@contextlib.contextmanager
def reading(repository: Path) -> Iterator[None]:
    """Keep builds from exchanging models meanwhile, where the file system has locks."""
    try:
        handle = os.open(repository, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        _is_locked(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def _undo_dead_builds(repository: Path) -> None:
    for folder in _build_folders(repository):
        with contextlib.suppress(OSError), _opened(folder) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its build lives
            _roll_back(folder, repository)
            shutil.rmtree(folder)


def _build_folders(repository: Path) -> list[Path]:
    places = (repository.parent, repository)
    return sorted(path for place in places for path in place.glob(f"{_prefix(repository)}*"))


def _roll_back(folder: Path, repository: Path) -> None:
    """Rename everything in the journal back; done again after a break, it does the rest."""
    journal = folder / _JOURNAL
    if not journal.is_file():
        return
    for line in journal.read_text(encoding="utf-8").splitlines():
        kind, model = line[0], line[1:]
        target, new, old = repository / model, folder / "new" / model, folder / "old" / model
        if kind == _ADDED and not new.exists() and target.exists():
            target.rename(new)
        if old.exists():
            old.rename(target)
    journal.unlink()


def _prefix(repository: Path) -> str:
    return f".{repository.name}-build-"


def _place(repository: Path) -> Path:
    place = repository.parent
    if repository.exists() and place.stat().st_dev != repository.stat().st_dev:
        return repository
    return place


def remove_dead_folders(place: Path, prefix: str) -> None:
    """Remove the folders of `locked_folder` whose processes have ended, where that is allowed."""
    for folder in place.glob(f"{prefix}*"):
        with contextlib.suppress(OSError), _opened(folder) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)


def locked_folder(place: Path, prefix: str) -> tuple[Path, int]:
    """A new folder, and the handle that locks it until this process ends or closes it."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        handle = os.open(folder, os.O_RDONLY)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if folder.exists():  # nobody took it for a dead process's before it was locked
            return folder, handle
        os.close(handle)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def _is_locked(handle: int, kind: int) -> bool:
    """Lock an open folder; False when the time is up. Without locks it counts as locked."""
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(_LOCK_POLL_S)
        except OSError:
            return True
    return False
