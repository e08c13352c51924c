"""The committed text files of `model_repository/` are what the build writes for the samples."""

import subprocess
from pathlib import Path

import pytest

from ernie_triton.cli import main
from tests.paths import ROOT

PIPELINES = sorted(path.name for path in (ROOT / "pipelines").glob("*.toml"))


def committed_files() -> dict[str, str]:
    """Every tracked text file of the repository, by its path in it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "model_repository"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return {
        str(path.relative_to(ROOT / "model_repository")): path.read_text(encoding="utf-8")
        for path in paths
        if path.name != ".gitignore"
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both default pipelines, built again."""
    repository = tmp_path_factory.mktemp("golden") / "model_repository"
    for name in PIPELINES:
        assert main(["build", str(ROOT / "pipelines" / name), "--repository", str(repository)]) == 0
    return repository


def test_a_build_writes_the_committed_text_files(built: Path) -> None:
    committed = committed_files()
    assert committed
    written = {name: (built / name).read_text(encoding="utf-8") for name in committed}
    assert written == committed


def test_every_text_file_of_a_build_is_committed(built: Path) -> None:
    suffixes = (".pbtxt", ".py")
    written = {str(p.relative_to(built)) for p in built.rglob("*") if p.suffix in suffixes}
    assert written == set(committed_files())
