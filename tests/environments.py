"""New virtual environments that see this one's packages, without any download."""

import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SITE_PACKAGES = Path(sysconfig.get_path("purelib"))


def new_environment(folder: Path, entries: Iterable[str]) -> Path:
    """Make an environment that sees these entries of this one's site-packages; returns its Python.

    `folder` gets `venv` and `seen`.
    """
    venv = folder / "venv"
    # pip itself comes from this environment too: a venv's own would be as old as its Python.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(venv)}))
    seen = folder / "seen"
    seen.mkdir()
    for entry in entries:
        (seen / entry).symlink_to(SITE_PACKAGES / entry)
    (own / "seen.pth").write_text(f"{seen}\n", encoding="utf-8")
    return venv / "bin" / "python3"


def entries_of(*requirements: str) -> set[str]:
    """Entries of site-packages that belong to these requirements and all that they require."""
    entries: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    done: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in done:
            continue
        done.add(key)
        try:
            found = distribution(requirement.name)
        except PackageNotFoundError:
            continue  # pip says so, with the requirement's name
        if key[0] != "ernie-triton":
            entries |= {path.parts[0] for path in found.files or ()} - {"..", "__pycache__"}
        for text in found.requires or ():
            further = Requirement(text)
            extras = requirement.extras or {""}
            if further.marker is None or any(further.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(further)
    return {entry for entry in entries if (SITE_PACKAGES / entry).exists()}
