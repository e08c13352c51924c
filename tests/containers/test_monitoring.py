"""Prometheus and Grafana: their files, and a real Prometheus that scrapes the real server."""

import json
import math
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.server.addresses import free_port
from tests.containers.compose import services
from tests.containers.conftest import ContainerServer
from tests.containers.dashboard import GPU_METRIC, dashboard, queries
from tests.containers.programs import ROOT, program

FOLDER = ROOT / "docker" / "prometheus"
_GRAFANA = ROOT / "docker" / "grafana"
_DATA_TIMEOUT_S = 60
# Queries that only a GPU gives data to, by the title of their panel.
GPU_PANELS = {"GPU use", "GPU memory", "GPU power"}


class Prometheus:
    """A running Prometheus' HTTP API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def is_ready(self) -> bool:
        """Whether its storage is open: it refuses connections first, and then answers 503."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=10):
                return True
        except OSError:
            return False

    def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer; an error's text is raised."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error

    def numbers(self, expression: str) -> list[float]:
        """The values of an expression now, without those that are no number."""
        result = self.get("query", query=expression)["result"]
        values = [float(item["value"][1]) for item in result]
        return [value for value in values if not math.isnan(value)]


@pytest.fixture(scope="module")
def prometheus(
    container_server: ContainerServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Debian's Prometheus with the committed files and command; only places are translated."""
    folder = tmp_path_factory.mktemp("prometheus")
    shutil.copytree(FOLDER, folder / "etc")
    config = folder / "etc" / "prometheus.yml"
    text = config.read_text(encoding="utf-8")
    ports = {8002: container_server.metrics_port, 8003: container_server.supervisor_port}
    for named, port in ports.items():
        assert text.count(f"triton:{named}") == 1
        text = text.replace(f"triton:{named}", f"127.0.0.1:{port}")
    config.write_text(text, encoding="utf-8")
    port = free_port()
    places = {
        "--config.file": config,
        "--storage.tsdb.path": folder / "data",
    }
    options = dict(part.split("=", 1) for part in services()["prometheus"]["command"])
    assert options["--config.file"] == "/etc/prometheus/prometheus.yml"
    command = [f"{name}={places.get(name, value)}" for name, value in options.items()]
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [program("prometheus"), *command, f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    started = Prometheus(f"http://127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + _DATA_TIMEOUT_S
        while not started.is_ready():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.1)
        yield started
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.live
def test_every_query_of_the_dashboard_is_answered_with_data(
    container_server: ContainerServer, prometheus: Prometheus
) -> None:
    wanted = {
        (title, expression)
        for title, expression in queries(pipeline="ernie_seqcls", __rate_interval="1m")
        if title not in GPU_PANELS
    }
    assert len(wanted) >= 15
    without = wanted
    deadline = time.monotonic() + _DATA_TIMEOUT_S
    with SeqClsClient(container_server.grpc_url) as client:
        while without and time.monotonic() < deadline:
            list(client.classify(["国足客场2:1逆转取胜", "央行宣布下调存款准备金率"]))
            time.sleep(0.2)
            if _is_up(prometheus):
                without = {query for query in without if not prometheus.numbers(query[1])}
    assert not without


@pytest.mark.live
def test_its_numbers_are_the_servers(
    container_server: ContainerServer, prometheus: Prometheus
) -> None:
    by_title = dict(queries(pipeline="ernie_seqcls", __rate_interval="1m"))
    with SeqClsClient(container_server.grpc_url) as client:
        deadline = time.monotonic() + _DATA_TIMEOUT_S
        while not (_is_up(prometheus) and prometheus.numbers(by_title["Texts per second"])):
            list(client.classify(["国足客场2:1逆转取胜"]))
            time.sleep(0.2)
            assert time.monotonic() < deadline
    # Every request of this module has one row or two.
    ratio = "nv_inference_count{0} / nv_inference_request_success{0}".format(
        '{model="ernie_seqcls"}'
    )
    assert 1.0 <= prometheus.numbers(ratio)[0] <= 2.0
    url = f"http://127.0.0.1:{container_server.metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as response:
        text = response.read().decode()
    for series in (
        'nv_inference_request_success{model="ernie_seqcls",version="1"}',
        'nv_inference_exec_count{model="ernie_seqcls_engine",version="1"}',
    ):
        own = next(line for line in text.splitlines() if line.startswith(series))
        while prometheus.numbers(series) != [float(own.split()[-1])]:
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.mark.live
def test_queries_of_a_gpu_are_at_least_understood(prometheus: Prometheus) -> None:
    asked = [query for query in queries() if query[0] in GPU_PANELS]
    assert {title for title, _ in asked} == GPU_PANELS
    for _, expression in asked:
        assert GPU_METRIC.search(expression)
        assert prometheus.numbers(expression) == []
    with pytest.raises(AssertionError, match="parse error"):
        prometheus.numbers("nv_gpu_utilization{")


@pytest.mark.live
def test_the_alerts_are_loaded_and_silent(prometheus: Prometheus) -> None:
    deadline = time.monotonic() + _DATA_TIMEOUT_S
    while not _is_up(prometheus):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    rules = prometheus.get("rules")["groups"][0]["rules"]
    assert len(rules) == 10
    assert {rule["state"] for rule in rules} <= {"inactive", "unknown"}


def _is_up(prometheus: Prometheus) -> bool:
    return prometheus.numbers('up{job="triton"}') == [1.0]


def test_promtool_accepts_the_configuration_and_the_rules() -> None:
    command = [program("promtool"), "check", "config", str(FOLDER / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 rules found" in done.stdout


def test_each_alert_fires_for_what_it_names_and_for_nothing_else() -> None:
    rules = ROOT / "tests" / "containers" / "alerts.test.yml"
    done = subprocess.run(
        [program("promtool"), "test", "rules", str(rules)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    named = {
        check["alertname"]
        for test in yaml.safe_load(rules.read_text(encoding="utf-8"))["tests"]
        for check in test["alert_rule_test"]
    }
    loaded = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))
    assert named == {rule["alert"] for rule in loaded["groups"][0]["rules"]}


def test_the_scraped_name_is_that_of_the_servers_in_the_network() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    targets = {job["job_name"]: job["static_configs"] for job in config["scrape_configs"]}
    assert targets == {
        "triton": [{"targets": ["triton:8002"]}],
        "supervisor": [{"targets": ["triton:8003"]}],
    }
    resolved = services()
    assert "triton" in resolved  # a service's name is its address
    assert resolved["triton-cpu"]["networks"]["default"]["aliases"] == ["triton"]


def test_grafana_finds_what_is_provisioned() -> None:
    source = yaml.safe_load(
        (_GRAFANA / "provisioning/datasources/prometheus.yml").read_text(encoding="utf-8")
    )["datasources"][0]
    scrape = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))["global"]
    assert source["url"] == "http://prometheus:9090"
    assert source["jsonData"]["timeInterval"] == scrape["scrape_interval"]
    provider = yaml.safe_load(
        (_GRAFANA / "provisioning/dashboards/dashboards.yml").read_text(encoding="utf-8")
    )["providers"][0]
    grafana = services()["grafana"]
    mounted = {volume.split(":")[1]: volume.split(":")[0] for volume in grafana["volumes"]}
    assert Path(mounted[provider["options"]["path"]]) == _GRAFANA / "dashboards"
    assert Path(mounted["/etc/grafana/provisioning"]) == _GRAFANA / "provisioning"
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (Path(mounted[str(home.parent)]) / home.name).is_file()
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == source["uid"]


def test_the_panels_are_whole_and_side_by_side() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {
            (column, line)
            for column in range(place["x"], place["x"] + place["w"])
            for line in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells, panel["title"]
        cells |= own
        if panel["type"] != "row":
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert panel["targets"]


def test_the_quantiles_it_shows_are_those_the_server_keeps() -> None:
    kept = [
        quantile.partition(":")[0]
        for part in services()["triton"]["command"]
        if part.startswith("--metrics-config=summary_quantiles=")
        for quantile in part.rpartition("=")[2].split(",")
    ]
    shown = {found for _, query in queries() for found in re.findall(r'quantile="([\d.]+)"', query)}
    assert shown == set(kept)


def test_a_pipeline_is_chosen_among_ensembles_alone() -> None:
    variable = dashboard()["templating"]["list"][0]
    pattern = re.compile(variable["regex"].strip("/"))
    assert pattern.fullmatch("ernie_seqcls")
    for part in ("tokenizer", "engine", "postprocess"):
        assert not pattern.fullmatch(f"ernie_seqcls_{part}")
    used = {name for _, query in queries() for name in re.findall(r"\$(\w+)", query)}
    assert used == {variable["name"], "__rate_interval"}
