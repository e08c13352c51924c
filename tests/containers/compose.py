"""The compose file as Compose itself reads it."""

import functools
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.containers.programs import ROOT, program

Services = dict[str, dict[str, Any]]


def run_compose(
    *arguments: str, folder: Path = ROOT, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run docker-compose with the variables, and none of the caller's that the file reads."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [program("docker-compose"), *arguments],
        cwd=folder,
        env={**inherited, **(variables or {})},
        capture_output=True,
        text=True,
    )


@functools.cache
def services(**variables: str) -> Services:
    """All services, resolved: variables and anchors replaced, schema checked."""
    done = run_compose("config", variables=variables)
    assert done.returncode == 0, done.stderr
    resolved: Services = yaml.safe_load(done.stdout)["services"]
    return resolved


def active(all_services: Services, profiles: str) -> Services:
    """Those that `up` starts with these profiles, as the Compose specification says."""
    chosen = set(profiles.split(","))
    return {
        name: service
        for name, service in all_services.items()
        if not service.get("profiles") or chosen & set(service["profiles"])
    }


def env_file() -> Mapping[str, str]:
    """The variables of `.env`."""
    lines = (ROOT / ".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
