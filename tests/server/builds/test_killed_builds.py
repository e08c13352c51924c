"""A build that is killed at any of its file operations leaves the old build, the new, or a refusal.

Each build is a fork of this process that kills itself before its n-th operation on files.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.build.publish.repository import StagedPipeline
from ernie_triton.errors import RepositoryError
from ernie_triton.server.builds.unfinished import roll_back_dead_builds
from ernie_triton.server.builds.verification import repository_state, verify_build
from tests.build.models import tree_of
from tests.server.builds.small_builds import (
    ENSEMBLE,
    JOINED,
    NAME,
    publish_small_build,
    write_small_build,
)

_OPERATIONS = re.compile(r"os\.(rename|mkdir|remove|rmdir|link|symlink|truncate|utime|chmod)|open")
_REPLACEMENTS = {
    "over nothing": (None, ENSEMBLE),
    "over an ensemble": (ENSEMBLE, ENSEMBLE),
    "joined over an ensemble": (ENSEMBLE, JOINED),
    "an ensemble over joined": (JOINED, ENSEMBLE),
}


def publish_until(repository: Path, models: Sequence[str], operations: int) -> bool:
    """Publish in a process that is killed before this operation; True if it was."""
    process = os.fork()
    if not process:
        left = operations

        def count(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            reads = event == "open" and (not isinstance(arguments[1], str) or arguments[1] == "r")
            if _OPERATIONS.fullmatch(event) and not reads:
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        with StagedPipeline(repository, models, 1) as staged:
            write_small_build(staged, "new", models, 1)
            sys.addaudithook(count)
            staged.publish()
        os._exit(0)
    status = os.waitpid(process, 0)[1]
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL
    return os.WIFSIGNALED(status)


def served(repository: Path) -> str:
    """`old`, `new` or `refused`, by what is verified; a mixture is none of them."""
    try:
        build = verify_build(repository, NAME)
    except RepositoryError as error:
        return "refused" if "build it again" in str(error) else str(error)
    scripts = [repository / model / "1/model.py" for model in build.models]
    (content,) = {script.read_text().split()[-1] for script in scripts}
    return content


@pytest.mark.parametrize("replaced", _REPLACEMENTS)
def test_a_build_killed_at_any_operation_leaves_no_mixture(tmp_path: Path, replaced: str) -> None:
    before, models = _REPLACEMENTS[replaced]
    template = tmp_path / "template/models"
    template.mkdir(parents=True)
    if before:
        publish_small_build(template, "old", before)
    old = tree_of(template)
    seen = []
    killed, operations = True, 0
    while killed:
        folder = tmp_path / str(operations)
        shutil.copytree(template.parent, folder)
        repository = folder / "models"
        killed = publish_until(repository, models, operations)
        seen.append(served(repository))
        roll_back_dead_builds(repository)
        assert [path.name for path in folder.iterdir()] == ["models"]
        if seen[-1] == "new" and served(repository) == "new":
            assert seen[-2] != "old"
        else:
            assert tree_of(repository) == old  # a half-done build is undone
            publish_small_build(repository, "again", models)
            assert served(repository) == "again"
        assert not repository_state(repository).refused
        operations += 1
    assert seen[-1] == "new"
    assert {*seen} == {"refused", "new", *(("old",) if before else ())}
    assert operations > 2 * len({*models, *(before or ())})


def test_what_a_build_that_lives_has_written_is_left_alone(tmp_path: Path) -> None:
    with StagedPipeline(tmp_path / "models", ENSEMBLE, 1) as staged:
        write_small_build(staged, "new", ENSEMBLE, 1)
        publish_small_build(tmp_path / "models", "first")
        assert len([*tmp_path.iterdir()]) == 2
        staged.publish()
    assert [path.name for path in tmp_path.iterdir()] == ["models"]
    assert served(tmp_path / "models") == "new"


def test_a_build_killed_while_it_writes_leaves_a_folder_that_the_next_one_removes(
    tmp_path: Path,
) -> None:
    process = os.fork()
    if not process:
        with StagedPipeline(tmp_path / "models", ENSEMBLE, 1) as staged:
            write_small_build(staged, "new", ENSEMBLE, 1)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)
    assert [path.name for path in tmp_path.iterdir()] != ["models"]
    publish_small_build(tmp_path / "models", "next")
    assert [path.name for path in tmp_path.iterdir()] == ["models"]
