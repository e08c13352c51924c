"""A copy of a repository whose pipelines can be exchanged with a build of the same answers.

The other build differs by a comment in the pipeline's configuration, so its identity is another,
and the server loads it like any other.
"""

import contextlib
import os
import shutil
from pathlib import Path

from ernie_triton.server.builds.recording import accept_build
from ernie_triton.settings import CONFIG_FILE

_MARK = "# another build, to be exchanged\n"
_LINKED_FROM_BYTES = 1 << 20


def copy_repository(repository: Path, copy: Path) -> None:
    """Copy the models of a repository; large files are hard links where that is possible."""
    for model in repository.iterdir():
        if model.is_dir() and not model.name.startswith("."):
            shutil.copytree(model, copy / model.name, copy_function=_copy_file)


def exchange_build(repository: Path, name: str) -> str:
    """Put the other build of a pipeline in place of the one that is there.

    Returns:
        Its identity.

    Raises:
        RepositoryError: the manifest is damaged.
    """
    config = repository / name / CONFIG_FILE
    text = config.read_text(encoding="utf-8")
    other = text.removesuffix(_MARK) if text.endswith(_MARK) else text + _MARK
    config.write_text(other, encoding="utf-8")
    return accept_build(repository, name).identity


def _copy_file(source: str, target: str) -> str:
    if Path(source).stat().st_size >= _LINKED_FROM_BYTES:
        with contextlib.suppress(OSError):
            os.link(source, target)
            return target
    return shutil.copyfile(source, target)
