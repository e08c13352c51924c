"""Exchange the builds of a running server: a new one, a canary beside it, and back again.

The new build is loaded beside the old one. Then the public model is exchanged: Triton takes the new
one when it is ready, and lets the old one answer what it has begun. The build before stays loaded,
for `rollback`; the one before that goes when the last request that could use it is long answered.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ernie_triton.errors import ErnieTritonError, RepositoryError, ServerError
from ernie_triton.server.builds.files import versions_of
from ernie_triton.server.builds.verification import (
    VerifiedBuild,
    read_build_manifest,
    verified_repository,
)
from ernie_triton.server.builds.view import ServedBuild, View

FORGET_AFTER_S = 60.0
"""A build stays loaded at least so long after it was replaced: requests that began with it end."""


class Models(Protocol):
    """The loading and unloading of a server's models."""

    def load(self, name: str) -> None:
        """Load a model of the view, or load it anew; raise ServerError where it fails."""

    def unload(self, name: str) -> None:
        """Stop serving a model; raise ServerError where it fails."""


@dataclass(slots=True, kw_only=True)
class PipelineBuilds:
    """The builds of one pipeline; `replaced` are those that left, with the time they did."""

    live: ServedBuild
    before: ServedBuild | None = None
    canary: ServedBuild | None = None
    replaced: list[tuple[ServedBuild, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLine:
    """One build of a pipeline that the server holds: `live`, `before`, `canary` or `leaving`."""

    name: str
    identity: str
    version: int
    state: str


class LiveBuilds:
    """The builds of one running server.

    Attributes:
        forget_after_s: how long a build that left stays loaded, in seconds.
        fetch: brings what is new into the repository; raises RepositoryError.
        check: raises ServerError where the repository's build of a pipeline is not for this server.
        count: is told of a pipeline whose build was exchanged: `done`, `rolled_back` or `failed`.
    """

    def __init__(
        self,
        repository: Path,
        view: View,
        served: dict[str, ServedBuild],
        models: Models,
        *,
        turn: Callable[[str], AbstractContextManager[object]] = contextlib.nullcontext,
    ) -> None:
        """Begin with the builds that the server was started with.

        Args:
            repository: where new builds come from.
            view: what the server serves.
            served: the builds by pipeline.
            models: loads and unloads.
            turn: a context in which nobody else loads or unloads a pipeline, given its name.
        """
        self.forget_after_s = FORGET_AFTER_S
        self.fetch: Callable[[], None] = lambda: None
        self.check: Callable[[str], None] = lambda _name: None
        self.count: Callable[[str, str], None] = lambda _name, _outcome: None
        self._repository = repository
        self._view = view
        self._models = models
        self._lock = threading.RLock()
        self._turn = turn
        self._pipelines = {name: PipelineBuilds(live=one) for name, one in served.items()}

    def lines(self) -> list[BuildLine]:
        """Every build that is held, by pipeline, the live one first."""
        with self._lock:
            return [
                BuildLine(
                    name=name,
                    identity=one.build.identity,
                    version=one.build.version,
                    state=state,
                )
                for name, builds in sorted(self._pipelines.items())
                for state, one in _states(builds)
            ]

    def names(self) -> list[str]:
        """The pipelines."""
        return sorted(self._pipelines)

    def new_identity(self, name: str) -> str:
        """The identity of the repository's build of a pipeline, where it is not the live one.

        Raises:
            RepositoryError: its manifest is damaged.
        """
        version = max(versions_of(self._repository / name), default=0)
        identity = str(read_build_manifest(self._repository, name, version)["build"])
        return "" if identity == self._of(name).live.build.identity else identity

    def reload(self, name: str, *, canary: bool = False) -> str:
        """Take in the repository's build of a pipeline, and say what was done.

        Args:
            name: the pipeline.
            canary: leave NAME as it is; the build answers as NAME@IDENTITY.

        Raises:
            RepositoryError: the build is damaged, the same as the live one, or cannot be fetched.
            ServerError: it cannot be loaded; NAME answers as before.
        """
        with self._lock, self._counted(name, "done"):
            builds = self._of(name)
            self.fetch()
            self.check(name)
            with verified_repository(self._repository, (name,)) as state:
                found = next(build for build in state.whole if build.name == name)
                served = self._held(builds, found)
                if served is None:
                    served = ServedBuild(build=found, stem=f"{name}@{found.identity}")
                    self._view.take(served)
            if served is builds.live:
                raise RepositoryError(f"{name} serves build {found.identity} already")
            self._load_beside(builds, served, canary=canary)
            with self._turn(name):
                if canary:
                    replaced, builds.canary = builds.canary, served
                    self._leave(builds, replaced)
                    return f"{served.full_name} answers beside {name}, build {_id(builds.live)}"
                return self._go_live(builds, served)

    def rollback(self, name: str) -> str:
        """Make the build before the live one again, and say what was done.

        Raises:
            RepositoryError: there is none.
            ServerError: it cannot be loaded; NAME answers as before.
        """
        with self._lock, self._counted(name, "rolled_back"):
            builds = self._of(name)
            if builds.before is None:
                raise RepositoryError(
                    f"{name} has no build before {_id(builds.live)} here; build the older one "
                    f"again, then: ernie-triton reload {name}"
                )
            with self._turn(name):
                return self._go_live(builds, builds.before)

    def forget(self, name: str) -> str:
        """Let every build of a pipeline go but the live one, and say which."""
        with self._lock, self._turn(name):
            builds = self._of(name)
            gone = [one for one in (builds.before, builds.canary) if one is not None]
            builds.before = builds.canary = None
            for one in gone:
                self._leave(builds, one)
            ids = ", ".join(map(_id, gone)) or "nothing"
            return f"{name} forgets {ids}; build {_id(builds.live)} is live"

    def tidy(self) -> None:
        """Unload the builds that were replaced long enough ago."""
        with self._lock:
            due = time.monotonic() - self.forget_after_s
            for name, builds in self._pipelines.items():
                for one, _ in [entry for entry in builds.replaced if entry[1] <= due]:
                    with self._turn(name):
                        self._drop(one)
                builds.replaced = [entry for entry in builds.replaced if entry[1] > due]

    @contextlib.contextmanager
    def _counted(self, name: str, outcome: str) -> Iterator[None]:
        try:
            yield
        except ErnieTritonError:
            if name in self._pipelines:
                self.count(name, "failed")
            raise
        self.count(name, outcome)

    def _of(self, name: str) -> PipelineBuilds:
        if name not in self._pipelines:
            raise RepositoryError(
                f"the server has no pipeline {name!r}, only {', '.join(sorted(self._pipelines))}"
            )
        return self._pipelines[name]

    def _held(self, builds: PipelineBuilds, found: VerifiedBuild) -> ServedBuild | None:
        """The build where it is held already; one that was leaving stays."""
        for one in (builds.live, builds.before, builds.canary):
            if one is not None and one.build.identity == found.identity:
                return one
        for place, (one, _) in enumerate(builds.replaced):
            if one.build.identity == found.identity:
                del builds.replaced[place]
                return one
        return None

    def _load_beside(self, builds: PipelineBuilds, served: ServedBuild, *, canary: bool) -> None:
        """Load a build under its own name: an ensemble, for its stages, and every canary."""
        if served in (builds.before, builds.canary) and not canary:
            return
        if not (canary or served.renamed):
            return
        try:
            self._view.exchange(served, served.full_name)
            self._models.load(served.full_name)
        except (ServerError, RepositoryError):
            self._drop(served)
            raise

    def _go_live(self, builds: PipelineBuilds, served: ServedBuild) -> str:
        name, old = served.build.name, builds.live
        try:
            self._view.exchange(served, name)
            self._models.load(name)
        except (ServerError, RepositoryError):
            self._leave(builds, served)
            self._view.exchange(old, name)
            self._models.load(name)
            raise
        oldest, builds.live, builds.before = builds.before, served, old
        if builds.canary is served:
            builds.canary = None
        self._leave(builds, oldest)
        return f"{name} serves build {_id(served)}; {_id(old)} is kept for rollback"

    def _leave(self, builds: PipelineBuilds, served: ServedBuild | None) -> None:
        """Refuse new requests to a build that nothing holds; its stages stay for those begun."""
        if served is not None and served not in (builds.live, builds.before, builds.canary):
            with contextlib.suppress(ServerError):  # it was never loaded under its own name
                self._models.unload(served.full_name)
            builds.replaced.append((served, time.monotonic()))

    def _drop(self, served: ServedBuild) -> None:
        for model in (served.full_name, *served.renamed.values()):
            with contextlib.suppress(ServerError):  # it was never loaded
                self._models.unload(model)
        self._view.forget(served)


def _states(builds: PipelineBuilds) -> list[tuple[str, ServedBuild]]:
    held = {"live": builds.live, "before": builds.before, "canary": builds.canary}
    states = [(state, one) for state, one in held.items() if one is not None]
    return [*states, *(("leaving", one) for one, _ in builds.replaced)]


def _id(served: ServedBuild) -> str:
    return served.build.identity
