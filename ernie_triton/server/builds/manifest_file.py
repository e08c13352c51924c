"""Read and write the file `manifest.json`, whose last line is the checksum of all lines before."""

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ernie_triton.errors import RepositoryError

MANIFEST_FILE = "manifest.json"
_SEALED = re.compile(r'(?P<body>\{.*),\n  "checksum": "(?P<checksum>[0-9a-f]{64})"\n\}\n', re.S)


def sealed_json(content: Mapping[str, Any]) -> str:
    """The content as indented JSON with the SHA-256 of that text as its last entry, `checksum`."""
    values = {name: value for name, value in content.items() if name != "checksum"}
    body = json.dumps(values, ensure_ascii=False, indent=2).removesuffix("\n}")
    return f'{body},\n  "checksum": "{_checksum(body)}"\n}}\n'


def read_sealed(path: Path) -> dict[str, Any]:
    """The content of a manifest that is as it was written.

    Raises:
        RepositoryError: the file is missing, damaged, or of a release without checksums.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise RepositoryError(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise RepositoryError(f"{path} is damaged") from error
    match = _SEALED.fullmatch(text)
    if match is None and '"checksum"' not in text:
        raise RepositoryError(f"{path} is damaged or has no checksums, as in earlier releases")
    if match is None or _checksum(match["body"]) != match["checksum"]:
        raise RepositoryError(f"{path} is damaged or was changed")
    content: dict[str, Any] = json.loads(text)
    return content


def replace_manifest(path: Path, content: Mapping[str, Any]) -> None:
    """Write a manifest beside, then rename it into place.

    Raises:
        RepositoryError: the folder cannot be written.
    """
    try:
        mode = path.stat().st_mode
        handle, name = tempfile.mkstemp(prefix=".manifest-", dir=path.parent)
        beside = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(sealed_json(content))
            beside.chmod(mode)
            beside.replace(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()
    except OSError as error:
        raise RepositoryError(f"{path} cannot be written: {error}") from error


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
