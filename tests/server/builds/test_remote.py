"""A repository in a store is copied to a folder, and what is new there comes by `reload`."""

import os
from pathlib import Path

import pytest

from ernie_triton.errors import RepositoryError
from ernie_triton.server.builds.live import LiveBuilds
from ernie_triton.server.builds.remote import local_repository
from ernie_triton.server.builds.verification import check_repository
from ernie_triton.server.builds.view import View
from tests.server.builds.small_builds import JOINED, publish_small_build
from tests.server.builds.test_live import LoadedModels


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_folder_is_used_as_it_is(tmp_path: Path) -> None:
    with local_repository(str(tmp_path)) as repository:
        assert repository.folder == tmp_path
        repository.fetch()
    assert tmp_path.is_dir()


def test_the_copy_follows_the_store_and_goes_with_the_server(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for name in ("a/1/model.bin", "a/config.pbtxt", "b/1/old.bin"):
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_text(name)
    with local_repository(f"file://{store}") as repository:
        assert contents(repository.folder) == contents(store)
        os.link(repository.folder / "a/1/model.bin", tmp_path / "served")
        unchanged = (repository.folder / "a/config.pbtxt").stat().st_ino
        (store / "a/1/model.bin").write_text("another build")
        (store / "b/1/old.bin").unlink()
        repository.fetch()
        assert contents(repository.folder) == contents(store)
        assert not (repository.folder / "b").exists()
        assert (repository.folder / "a/config.pbtxt").stat().st_ino == unchanged
        assert (tmp_path / "served").read_text() == "a/1/model.bin"
    assert not repository.folder.exists()


def test_a_new_build_in_the_store_is_taken_in_by_reload(tmp_path: Path) -> None:
    store = tmp_path / "store"
    publish_small_build(store, "a", JOINED)
    with local_repository(f"file://{store}") as repository:
        view = View(repository.folder)
        served = view.take_all(check_repository(repository.folder))
        models = LoadedModels(view)
        builds = LiveBuilds(repository.folder, view, served, models)
        builds.fetch = repository.fetch
        publish_small_build(store, "b", JOINED)
        builds.reload("p")
        assert models.build_of("p") == "b"
        view.remove()


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("memory://nothing/here", "holds no files"),
        ("nosuch://bucket/models", "cannot be read: Protocol not known: nosuch"),
    ],
)
def test_a_store_that_cannot_be_read_is_named(place: str, reason: str) -> None:
    with (
        pytest.raises(RepositoryError, match=f"^{place} {reason}"),
        local_repository(place),
    ):
        pass
