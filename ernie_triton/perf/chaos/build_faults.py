"""Changes of builds, which should hurt nobody: a new build goes live, and the one before again."""

import random

from ernie_triton.errors import ServerError
from ernie_triton.perf.chaos.faults import StruckPipeline
from ernie_triton.perf.chaos.twins import exchange_build
from ernie_triton.server.builds.control_socket import ask_server


class ReloadedBuild:
    """The pipeline gets another build, and sometimes all older ones go."""

    name = "reload"
    hurts = False

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Exchange the repository's build, and tell the server."""
        name = target.subject.name
        if chance.random() < 0.5:  # then the next one is loaded anew, some time later
            _asked(target, "forget")
        return _reloaded(target, name)


class RolledBackBuild:
    """The build before the live one goes live again."""

    name = "rollback"
    hurts = False

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Roll back; where there is no build before, first make one."""
        del chance
        name = target.subject.name
        live, before = (_build(target, state) for state in ("live", "before"))
        if not before:
            _reloaded(target, name)
            live, before = _build(target, "live"), live
        _asked(target, "rollback")
        if _build(target, "live") != before:
            raise ServerError(f"{name} was to go back to {before}, and serves another build")
        return f"from {live} to {before}"


def _reloaded(target: StruckPipeline, name: str) -> str:
    live = _build(target, "live")
    identity = exchange_build(target.repository, name)
    if identity == live:  # after a rollback the server is ahead of its repository
        identity = exchange_build(target.repository, name)
    _asked(target, "reload")
    if _build(target, "live") != identity:
        raise ServerError(f"{name} was to serve build {identity}, and serves another")
    return f"from {live} to {identity}"


def _build(target: StruckPipeline, state: str) -> str:
    """The pipeline's build in this state; empty if there is none."""
    rows = [line.split() for line in _asked(target, "builds")]
    found = [row[1] for row in rows if (row[0], row[-1]) == (target.subject.name, state)]
    return found[0] if found else ""


def _asked(target: StruckPipeline, command: str) -> list[str]:
    return ask_server(target.grpc_port, {"command": command, "name": target.subject.name})
