"""Share the tests among processes by pytest-xdist: a folder's tests stay in one of them.

They share servers and builds, which each process makes for itself.
"""

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

LONGEST = ("live", "training", "perf", "docs", "containers", "samples")
"""Folders that begin first, so that none of them is left for the end."""


def folder_of(nodeid: str) -> str:
    """The folder whose tests stay together: a room of `build/`, or else one of `tests/`."""
    folders = PurePosixPath(nodeid.partition("::")[0]).parent.parts[1:]
    return "/".join(folders[: 2 if folders[:1] == ("build",) else 1])


def longest_first(nodeid: str) -> tuple[int, str]:
    """The order of the tests' folders."""
    folder = folder_of(nodeid)
    rank = LONGEST.index(folder) if folder in LONGEST else len(LONGEST)
    return rank, folder


class FoldersTogether(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Gives each process a folder after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return folder_of(nodeid)
