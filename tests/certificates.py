"""Certificates and a key of clients, made anew for a test."""

import shutil
import subprocess
from pathlib import Path

import pytest

KEY = "k" * 32


def make_certificates(folder: Path) -> Path:
    """Write two authorities, a server's certificate of each, a client's of the first, and a key.

    Returns:
        The folder, with `ca`, `next_ca`, `server`, `renewed` and `client`, each as `.pem` and
        `.key`, and the file `api_key`.
    """
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n", encoding="ascii")
    for authority in ("ca", "next_ca"):
        _openssl(folder, f"req -x509 -days 2 {_new_key(authority)} -out {authority}.pem")
    for name, authority in (("server", "ca"), ("client", "ca"), ("renewed", "next_ca")):
        _openssl(folder, f"req {_new_key(name)} -out {name}.csr")
        signing = f"-CA {authority}.pem -CAkey {authority}.key -CAcreateserial -extfile names"
        _openssl(folder, f"x509 -req -days 2 -in {name}.csr {signing} -out {name}.pem")
    (folder / "api_key").write_text(f"{KEY}\n", encoding="ascii")
    return folder


def _new_key(name: str) -> str:
    return f"-newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key"


def _openssl(folder: Path, arguments: str) -> None:
    subprocess.run(["openssl", *arguments.split()], cwd=folder, check=True, capture_output=True)
