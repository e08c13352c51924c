"""The manifests of deploy/, rendered by helm, and Kubernetes' schemas that they are held to."""

import functools
import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.deploy.tools import tool
from tests.paths import ROOT

CHART = ROOT / "deploy" / "helm" / "ernie-triton"
VALUES = ("values.yaml", "examples/gpu.yaml", "examples/s3.yaml")
CUSTOM = ("keda.sh/", "monitoring.coreos.com/", "serving.kserve.io/")
"""Kinds that Kubernetes itself does not have."""

Manifest = dict[str, Any]


def run_helm(command: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run `lint` or `template` on the chart."""
    place = ["news", str(CHART), "--namespace=ml"] if command == "template" else [str(CHART)]
    words = [str(tool("helm")), command, *place, *options]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@functools.cache
def rendered(values: str) -> tuple[Manifest, ...]:
    """Every manifest of the chart with a file of values."""
    done = run_helm("template", "--values", str(CHART / values))
    assert done.returncode == 0, done.stderr
    return tuple(one for one in yaml.safe_load_all(done.stdout) if one)


def one(kind: str, name: str, values: str = "examples/gpu.yaml") -> Manifest:
    """The manifest of a kind and name."""
    [found] = [
        manifest
        for manifest in rendered(values)
        if (manifest["kind"], manifest["metadata"]["name"]) == (kind, name)
    ]
    return found


def faults(manifest: Mapping[str, Any], version: str) -> Iterator[str]:
    """What Kubernetes' schema of a version finds wrong, unknown fields included."""
    jsonschema = pytest.importorskip("jsonschema")
    group, _, api = manifest["apiVersion"].rpartition("/")
    parts = [manifest["kind"].lower(), *([group.split(".")[0]] if group else []), api]
    schema = _schema(version, f"{'-'.join(parts)}.json")
    for error in jsonschema.Draft7Validator(schema, registry=_registry(version)).iter_errors(
        manifest
    ):
        yield f"{error.json_path}: {error.message}"


@functools.cache
def _registry(version: str) -> Any:
    referencing = pytest.importorskip("referencing")
    name = "_definitions.json"
    resource = referencing.Resource(_schema(version, name), referencing.jsonschema.DRAFT7)
    return referencing.Registry().with_resource(name, resource)


def _schema(version: str, name: str) -> Any:
    return json.loads((tool("schemas") / version / name).read_text(encoding="utf-8"))
