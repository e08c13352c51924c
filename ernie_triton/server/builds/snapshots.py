"""Snapshots of a repository's builds for a server whose command somebody else wrote."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.errors import RepositoryError
from ernie_triton.server.builds.verification import RepositoryState, verified_repository
from ernie_triton.server.builds.view import ServedBuild, View


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBuilds:
    """Snapshots of a repository's builds.

    Attributes:
        repository: where new builds come from.
        view: what the server serves.
        served: the builds by their pipelines.
        state: the repository as it was verified.
    """

    repository: Path
    view: View
    served: dict[str, ServedBuild]
    state: RepositoryState


@contextmanager
def taken_builds(repository: Path, models: Sequence[str], place: Path) -> Iterator[TakenBuilds]:
    """Verify the builds of a repository, and copy them into a folder while the context is open.

    Args:
        repository: the model repository.
        models: pipelines to take; every one when empty.
        place: the folder that the copies lie in.

    Raises:
        RepositoryError: a build is damaged or mixed, or the folder cannot be written.
    """
    with verified_repository(repository, models) as state:
        try:
            view = View(repository, place)
        except OSError as error:
            raise RepositoryError(f"{place} cannot hold copies of builds: {error}") from error
        try:
            served = view.take_all(state)
        except BaseException:
            view.remove()
            raise
    try:
        yield TakenBuilds(repository=repository, view=view, served=served, state=state)
    finally:
        view.remove()
