"""The committed text files of `model_repository/` are what the build writes for the samples."""

import subprocess
from pathlib import Path

from tests.paths import ROOT


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


def test_a_build_writes_the_committed_text_files(sample_pipelines: Path) -> None:
    committed = committed_files()
    assert committed
    written = {name: (sample_pipelines / name).read_text(encoding="utf-8") for name in committed}
    assert written == committed


def test_every_text_file_of_a_build_is_committed(sample_pipelines: Path) -> None:
    suffixes = (".pbtxt", ".py")
    files = [path for path in sample_pipelines.rglob("*") if path.suffix in suffixes]
    written = {str(path.relative_to(sample_pipelines)) for path in files}
    assert written == set(committed_files())
