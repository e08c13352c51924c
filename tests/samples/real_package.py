"""A package in the form of the one that carries the texts of others; its lines are our own."""

import io
import tarfile
from pathlib import Path

import pytest

from samples.real import package

NEWSPAPER = [
    f"记者/n  王/nr  小{name}/nr  １９{name}日/t  在/p  [海州/ns  大学/n]nt  采访/v  。/w"
    for name in "一二三四五六七八九十百千万上下左右前后中东西南北春夏秋冬山水花木金土日月"
]
REVIEWS = {
    package.NEGATIVE: [f"第{number}次用就坏了" for number in range(20)] + ["一般", "第3次用就坏了"],
    package.POSITIVE: [f"第{number}次买  了，很好" for number in range(20)] + ["一般", ""],
}


def write_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put our package where the other one would be fetched to, and expect its hash."""
    folder.mkdir(exist_ok=True)
    path = folder / package.ARCHIVE
    with tarfile.open(path, "w:gz") as files:
        for name, lines in {package.NEWSPAPER: NEWSPAPER, **REVIEWS}.items():
            content = "\n".join(lines).encode()
            member = tarfile.TarInfo(
                f"{package.PACKAGE}-{package.PACKAGE_VERSION}/{package.PACKAGE}/{name}"
            )
            member.size = len(content)
            files.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(package, "SHA256", package.sha256_of(path))
