"""Keep a folder equal to a repository in an object store, such as S3.

Triton's own way of reading S3 knows no checksums and exchanges no builds. So the files come into a
local folder, where builds are verified and taken in as from any other.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ernie_triton.errors import MissingExtraError, RepositoryError
from ernie_triton.server.builds.unfinished import locked_folder, remove_dead_folders

_PREFIX = "ernie-triton-repository-"
# What stores say of a file's content: S3, Google, Azure, a local folder.
_IDENTITY = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "mtime", "created", "size")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRepository:
    """A repository in a folder of this machine.

    Attributes:
        folder: where it is.
        fetch: takes over what has changed in the store; raises RepositoryError.
    """

    folder: Path
    fetch: Callable[[], None]


@contextmanager
def local_repository(place: str) -> Iterator[LocalRepository]:
    """Give a folder as it is, and a store's address as a copy that goes when the context ends.

    Args:
        place: a folder, or an address such as `s3://bucket/models`.

    Raises:
        RepositoryError: the store cannot be read, or holds nothing there.
        MissingExtraError: the packages for stores are not installed.
    """
    if "://" not in place:
        yield LocalRepository(folder=Path(place), fetch=lambda: None)
        return
    temporary = Path(tempfile.gettempdir())
    remove_dead_folders(temporary, _PREFIX)
    folder, lock = locked_folder(temporary, _PREFIX)
    try:
        copy = _Copy(place, folder / "models")
        copy.fetch()
        yield LocalRepository(folder=copy.folder, fetch=copy.fetch)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


class _Copy:
    """The files of a store's address in a folder."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self._url = url
        self._known: dict[PurePosixPath, object] = {}
        folder.mkdir()
        with self._read():
            try:
                import fsspec
            except ModuleNotFoundError as error:
                raise MissingExtraError("fsspec", "s3", "a repository in S3") from error
            self._store, self._root = fsspec.core.url_to_fs(url)

    def fetch(self) -> None:
        """Take over what has changed since the last time.

        A file is replaced, never written to: a server may serve it by a hard link.

        Raises:
            RepositoryError: the store cannot be read, or holds nothing there.
        """
        with self._read():
            self._store.invalidate_cache()
            found = dict(self._found())
            if not found:
                raise RepositoryError(f"{self._url} holds no files; expected a model repository")
            for path, (key, identity) in found.items():
                if self._known.get(path) != identity:
                    target = self.folder / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    beside = self.folder.parent / "part"
                    self._store.get_file(key, str(beside))
                    beside.rename(target)
                    self._known[path] = identity
            for path in self._known.keys() - found.keys():
                self._remove(path)

    def _found(self) -> Iterator[tuple[PurePosixPath, tuple[str, object]]]:
        root = PurePosixPath(self._root)
        files: Mapping[str, Mapping[str, Any]] = self._store.find(self._root, detail=True)
        for key, facts in files.items():
            path = PurePosixPath(key).relative_to(root)
            if ".." in path.parts:
                raise RepositoryError(f"{self._url} holds {key!r}, which leads out of the folder")
            yield path, (key, [str(facts.get(name)) for name in _IDENTITY])

    def _remove(self, path: PurePosixPath) -> None:
        del self._known[path]
        (self.folder / path).unlink()
        for parent in list(path.parents)[:-1]:
            with contextlib.suppress(OSError):  # it holds other files
                (self.folder / parent).rmdir()

    @contextmanager
    def _read(self) -> Iterator[None]:
        """Name the address in errors; each store has errors of its own kinds."""
        try:
            yield
        except (RepositoryError, MissingExtraError):
            raise
        except ImportError as error:
            raise MissingExtraError("s3fs", "s3", "a repository in S3") from error
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise RepositoryError(f"{self._url} cannot be read: {reason}") from error
