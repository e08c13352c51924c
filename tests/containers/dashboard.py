"""The provisioned dashboard: its panels and queries, as Grafana would send them."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.containers.programs import ROOT

PATH = ROOT / "docker" / "grafana" / "dashboards" / "ernie-triton.json"
GPU_METRIC = re.compile(r"\bnv_gpu_\w+")


def dashboard() -> dict[str, Any]:
    """The whole JSON."""
    loaded: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return loaded


def queries(**variables: str) -> Iterator[tuple[str, str]]:
    """Each panel's title and expression, with the dashboard's variables replaced."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for name, value in variables.items():
                expression = expression.replace(f"${name}", value)
            yield panel["title"], expression
