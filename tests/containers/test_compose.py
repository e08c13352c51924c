"""docker-compose.yml, read by Debian's docker-compose, which checks the Compose specification."""

import argparse
import re
import shutil
from pathlib import Path

import pytest

from ernie_triton.gateway import gateway
from ernie_triton.gpu.images import GPUS, IMAGES
from tests.containers.compose import Services, active, env_file, run_compose, services
from tests.containers.programs import ROOT

SERVERS = ("triton", "triton-cpu")
BUILDS = ("build", "build-cpu")


@pytest.fixture(scope="module")
def resolved() -> Services:
    return services()


@pytest.mark.parametrize(
    ("profiles", "started"),
    [
        ("gpu", {"build", "triton"}),
        ("cpu", {"build-cpu", "triton-cpu"}),
        ("monitoring", {"prometheus", "grafana"}),
        ("gateway", {"gateway"}),
        ("gpu,monitoring", {"build", "triton", "prometheus", "grafana"}),
    ],
)
def test_every_profile_is_valid_and_starts_its_services_alone(
    profiles: str, started: set[str]
) -> None:
    chosen = active(services(COMPOSE_PROFILES=profiles), profiles)
    assert set(chosen) == started
    for service in chosen.values():
        assert set(service.get("depends_on", {})) <= started


def test_up_starts_the_gpu_server_by_default() -> None:
    assert set(active(services(), env_file()["COMPOSE_PROFILES"])) == {"build", "triton"}


def test_a_mistake_in_the_file_is_found(tmp_path: Path) -> None:
    for name in ("docker-compose.yml", ".env"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "pipelines").mkdir()
    assert run_compose("config", "--quiet", folder=tmp_path).returncode == 0
    path = tmp_path / "docker-compose.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("stop_grace_period", "stop_grace"))
    wrong = run_compose("config", "--quiet", folder=tmp_path)
    assert wrong.returncode != 0
    assert "stop_grace" in wrong.stderr


def test_without_a_tag_one_is_told_where_to_look(tmp_path: Path) -> None:
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    done = run_compose("config", "--quiet", folder=tmp_path)
    assert done.returncode != 0
    assert "TRITON_TAG" in done.stderr
    assert "docs/containers.md" in done.stderr


def test_all_ports_are_of_the_loopback_interface(resolved: Services) -> None:
    published = [port for service in resolved.values() for port in service.get("ports", [])]
    assert len(published) == 12
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_http_is_off_unless_asked_for(resolved: Services) -> None:
    assert "--allow-http=false" in resolved["triton"]["command"]
    asked = services(ALLOW_HTTP="true")["triton"]["command"]
    assert "--allow-http=true" in asked
    assert "--allow-http=false" not in asked


def test_opening_the_server_leaves_http_metrics_and_monitoring_closed() -> None:
    opened = services(BIND_ADDRESS="0.0.0.0")
    assert opened["triton"]["ports"] == [
        "127.0.0.1:8000:8000/tcp",
        "0.0.0.0:8001:8001/tcp",
        "127.0.0.1:8002:8002/tcp",
        "127.0.0.1:8003:8003/tcp",
    ]
    for name in ("prometheus", "grafana"):
        assert all(port.startswith("127.0.0.1:") for port in opened[name]["ports"])


def test_images_are_pinned_to_a_release(resolved: Services) -> None:
    for service in resolved.values():
        tag = service["image"].rpartition(":")[2]
        assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?", tag), service["image"]


def test_the_tags_are_of_the_supported_images(resolved: Services) -> None:
    tag = env_file()["TRITON_TAG"]
    assert tag in {image.tag for image in IMAGES}
    by_name = {gpu.name: gpu for gpu in GPUS}
    assert tag in by_name["T4"].tags
    assert by_name["V100"].tags == ("24.09",)
    for name in (*SERVERS, *BUILDS):
        assert resolved[name]["build"]["args"]["TRITON_TAG"] == tag
    assert services(TRITON_TAG="24.09")["triton"]["image"] == "ernie-triton:24.09"


@pytest.mark.parametrize("name", [*SERVERS, *BUILDS, "prometheus", "grafana", "gateway"])
def test_a_service_can_do_no_more_than_it_must(resolved: Services, name: str) -> None:
    service = resolved[name]
    assert not str(service["user"]).startswith(("0", "root"))
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert service["mem_limit"]
    assert 0 < int(service["pids_limit"]) <= 4096
    assert service["logging"]["options"]["max-size"]
    assert service["init"] is True


def test_the_server_only_reads_what_the_build_wrote(resolved: Services) -> None:
    for build, server in zip(BUILDS, SERVERS, strict=True):
        written = [volume for volume in resolved[build]["volumes"] if ":/models" in volume]
        read = [volume for volume in resolved[server]["volumes"] if ":/models" in volume]
        assert [volume.removesuffix(":rw") for volume in written] == [
            volume.removesuffix(":ro") for volume in read
        ]
        assert read[0].endswith(":ro")
        assert resolved[server]["depends_on"] == {
            build: {"condition": "service_completed_successfully"}
        }
        assert resolved[build]["restart"] == "no"
        assert resolved[build]["network_mode"] == "none"


def test_a_repository_of_ones_own_replaces_the_volume() -> None:
    mine = services(GPU_REPOSITORY="./served", CONTAINER_USER="1234:1234")
    assert f"{ROOT}/served:/models:ro" in mine["triton"]["volumes"]
    assert f"{ROOT}/served:/models:rw" in mine["build"]["volumes"]
    assert mine["build"]["user"] == mine["triton"]["user"] == "1234:1234"


def test_a_gpu_is_reserved_where_one_is_used(resolved: Services) -> None:
    with_gpu = {
        name
        for name, service in resolved.items()
        for device in service.get("deploy", {})
        .get("resources", {})
        .get("reservations", {})
        .get("devices", [])
        if device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    }
    assert with_gpu == {"build", "triton"}


def test_the_gateway_wants_keys_and_takes_the_options_it_is_given(resolved: Services) -> None:
    command = resolved["gateway"]["command"]
    assert "--keys=/keys/keys.toml" in command
    parser = argparse.ArgumentParser()
    gateway.add_options(parser)
    settings = gateway.settings_from_namespace(parser.parse_args(command))
    assert (settings.port, settings.tls) == (8080, None)
    secured = services(GATEWAY_TLS_CERT="/keys/c.pem", GATEWAY_TLS_KEY="/keys/k.pem")
    found = parser.parse_args(secured["gateway"]["command"])
    assert gateway.settings_from_namespace(found).tls is not None


def test_both_servers_run_the_same_command(resolved: Services) -> None:
    assert resolved["triton"]["command"] == resolved["triton-cpu"]["command"]
    assert resolved["triton"]["environment"]["CHECK_PLANS"] == "/models"


@pytest.mark.parametrize("name", SERVERS)
def test_requests_in_flight_are_answered_before_the_container_is_killed(
    resolved: Services, name: str
) -> None:
    options = dict(
        part.split("=", 1) for part in resolved[name]["command"] if part.startswith("--")
    )
    grace_s = int(str(resolved[name]["stop_grace_period"]).removesuffix("s"))
    assert grace_s >= int(options["--exit-timeout-secs"]) + 5
    assert resolved[name]["restart"] == "unless-stopped"
