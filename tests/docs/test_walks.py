"""The two walks of docs/architecture.md name files that are there, few, and really on the way."""

import importlib
import re
import sys
from pathlib import Path
from types import FrameType

import pytest

from ernie_triton.cli import main as ernie_triton
from tests.docs.guides import GUIDES
from tests.paths import ROOT

PACKAGE = ROOT / "ernie_triton"


def files_of(walk: str) -> list[Path]:
    """The files in a walk's table, in its order, each once."""
    text = GUIDES["docs/architecture.md"].prose
    section = text.partition(f"## {walk}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\|.*\| (.*`) \|$", section, re.MULTILINE)
    names = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    paths = [ROOT / name if name.endswith(".pbtxt") else PACKAGE / name for name in names]
    return list(dict.fromkeys(paths))


@pytest.mark.parametrize(
    ("walk", "most"), [("The path of a checkpoint", 25), ("The path of a text", 20)]
)
def test_a_walk_is_short_and_its_files_are_there(walk: str, most: int) -> None:
    files = files_of(walk)
    assert len(files) <= most
    assert [path for path in files if not path.is_file()] == []
    count = sum(path.is_relative_to(PACKAGE) for path in files)
    assert re.search(rf"^(These|That is) {count} files", GUIDES["docs/architecture.md"].prose, re.M)


def test_a_build_runs_every_file_of_its_walk(tmp_path: Path) -> None:
    command = ["build", str(ROOT / "samples/checkpoints/tnews")]
    run: set[str] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            run.add(frame.f_code.co_filename)

    # An import runs a file's classes, which is not what counts.
    for path in files_of("The path of a checkpoint"):
        names = path.relative_to(ROOT).with_suffix("").parts
        importlib.import_module(".".join(name for name in names if name != "__init__"))
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        assert ernie_triton([*command, "--repository", str(tmp_path / "models")]) == 0
    finally:
        sys.setprofile(before)
    assert [path for path in files_of("The path of a checkpoint") if str(path) not in run] == []
