"""Programs of Debian packages that these tests need, and the root of the repository."""

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "docker-compose": "docker-compose",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    # Debian's own Python, for the modules of docker-compose's package.
    "/usr/bin/python3": "docker-compose",
}


def program(name: str) -> str:
    """The path of a program; its test fails, naming the package, where it is missing."""
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is not installed: apt-get install {PACKAGES[name]}")
    return path
