"""The sample news, or less of them."""

import shutil
from pathlib import Path

from tests.paths import ROOT


def few_news(folder: Path, *, train: int, dev: int) -> Path:
    """Write the first lines of both splits into a folder, made if missing."""
    folder.mkdir(exist_ok=True)
    source = ROOT / "samples/data/tnews"
    for split, count in (("train", train), ("dev", dev)):
        lines = (source / f"{split}.json").read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / f"{split}.json").write_text("".join(lines[:count]), encoding="utf-8")
    shutil.copyfile(source / "labels.json", folder / "labels.json")
    return folder
