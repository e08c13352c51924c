"""The chart and KServe's manifests: valid for two versions of Kubernetes, and as Compose serves."""

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.containers.programs import program
from tests.deploy.manifests import (
    CHART,
    CUSTOM,
    VALUES,
    Manifest,
    faults,
    one,
    rendered,
    run_helm,
)
from tests.deploy.tools import CUSTOM_KINDS, KUBERNETES
from tests.paths import ROOT

KSERVE = ROOT / "deploy" / "kserve"


def kserve(name: str) -> Manifest:
    """One of KServe's manifests."""
    found: Manifest = yaml.safe_load((KSERVE / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


def options_of(words: list[str]) -> dict[str, list[str]]:
    """The values of each option; words without a value by themselves."""
    found: dict[str, list[str]] = {}
    for word in words:
        name, _, value = word.partition("=")
        found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("values", VALUES)
def test_every_manifest_is_valid(values: str) -> None:
    assert run_helm("lint", "--strict", "--values", str(CHART / values)).returncode == 0
    custom = [one for one in rendered(values) if one["apiVersion"].startswith(CUSTOM)]
    own = [one for one in rendered(values) if one not in custom]
    assert len(own) >= 6
    assert [fault for manifest in custom for fault in faults(manifest, CUSTOM_KINDS)] == []
    for version in KUBERNETES:
        assert [fault for manifest in own for fault in faults(manifest, version)] == []


def test_a_wrong_field_is_found_in_a_manifest_and_in_values() -> None:
    wrong = copy.deepcopy(one("Deployment", "news"))
    container = wrong["spec"]["template"]["spec"]["containers"][0]
    container["readynessProbe"] = container.pop("readinessProbe")
    for version in KUBERNETES:
        assert ["readynessProbe" in fault for fault in faults(wrong, version)] == [True]
    for given, said in (
        ("gatway.enabled=true", "gatway"),
        ("replicas=none", "replicas"),
        ("models.s3=s3://a/b,tlsSecret=tls", "gRPC probe speaks no TLS"),
    ):
        done = run_helm("template", "--set", given)
        assert done.returncode == 1
        assert said in done.stderr


def test_a_wrong_field_is_found_in_a_custom_kind() -> None:
    scaler = copy.deepcopy(one("ScaledObject", "news"))
    scaler["spec"]["cooldown"] = 300
    scaler["spec"]["fallback"]["replicas"] = "2"
    del scaler["spec"]["triggers"][0]["type"]
    monitor = copy.deepcopy(one("ServiceMonitor", "news"))
    monitor["spec"]["endpoints"][0]["relabeling"] = []
    rule = copy.deepcopy(one("PrometheusRule", "news"))
    rule["spec"]["groups"][0]["rules"][0]["expression"] = "up"
    runtime, service = map(kserve, ("serving-runtime", "inference-service"))
    runtime["spec"]["multiModels"] = False
    service["spec"]["predictor"]["minReplica"] = 1
    said = [
        (scaler, {"cooldown", "'2' is not of type 'integer'", "'type' is a required property"}),
        (monitor, {"'relabeling' was"}),
        (rule, {"'expression' was"}),
        (runtime, {"'multiModels' was"}),
        (service, {"'minReplica' was"}),
    ]
    for manifest, words in said:
        found = list(faults(manifest, CUSTOM_KINDS))
        assert len(found) == len(words)
        assert all(any(word in fault for fault in found) for word in words)


def test_the_schema_of_values_knows_the_values() -> None:
    def names(node: Any) -> Any:
        is_open = not isinstance(node, dict) or node.get("additionalProperties") is not False
        return None if is_open else {key: names(one) for key, one in node["properties"].items()}

    def agree(known: Any, values: Any, place: str) -> None:
        if known is None:
            return
        assert set(known) - {"global"} == set(values), place
        for key in values:
            agree(known[key], values[key], f"{place}.{key}")

    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    agree(names(schema), yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8")), "")


def test_the_server_starts_as_compose_starts_it() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    words = [re.sub(r"\$\{\w+:-(.*?)\}", r"\1", word) for word in compose["x-tritonserver"]]
    container = one("Deployment", "news")["spec"]["template"]["spec"]["containers"][0]
    wanted, found = options_of(words), options_of(container["args"])
    chosen = {
        "--log-format",
        "--load-model",
        "--trace-rate",
        "--tls-cert",
        "--tls-key",
        "--client-ca",
        "--api-key-file",
        "--http-address",  # HTTP is off, and stays so
        "--http-port",
        "--drain-timeout",
        "--grpc-max-connection-age",
    }
    assert {name: wanted[name] for name in wanted.keys() - chosen} == {
        name: found[name] for name in found.keys() - chosen
    }


def test_the_scaler_watches_the_engine_stage_and_its_query_is_one(tmp_path: Path) -> None:
    [trigger] = one("ScaledObject", "news")["spec"]["triggers"]
    query = trigger["metadata"]["query"]
    assert 'nv_inference_queue_duration_us{model=~".+_engine",namespace="ml",' in query
    assert trigger["metricType"] == "Value"
    rules = tmp_path / "rules.yml"
    record = {"record": "queue:mean", "expr": query}
    rules.write_text(yaml.safe_dump({"groups": [{"name": "scaler", "rules": [record]}]}))
    command = [program("promtool"), "check", "rules", str(rules)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_server_gets_time_to_leave_and_to_drain() -> None:
    pod = one("Deployment", "news")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    leaves_s = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    drains_s, ends_s = (
        int(options_of(container["args"])[name][0])
        for name in ("--drain-timeout", "--exit-timeout-secs")
    )
    assert pod["terminationGracePeriodSeconds"] >= leaves_s + drains_s + ends_s


def test_kserve_starts_the_same_server() -> None:
    runtime, service = map(kserve, ("serving-runtime", "inference-service"))
    assert [*faults(runtime, CUSTOM_KINDS), *faults(service, CUSTOM_KINDS)] == []
    spec = runtime["spec"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "news"},
        "spec": {"containers": spec["containers"], "volumes": spec["volumes"]},
    }
    for version in KUBERNETES:
        assert list(faults(pod, version)) == []
    of_chart = one("Deployment", "news", "values.yaml")["spec"]["template"]["spec"]
    known = options_of(of_chart["containers"][0]["args"])
    found = options_of(spec["containers"][0]["args"])
    assert found.pop("--model-repository") == ["/mnt/models"]
    assert {name: known[name] for name in found} == found
    assert service["spec"]["predictor"]["model"]["runtime"] == runtime["metadata"]["name"]
