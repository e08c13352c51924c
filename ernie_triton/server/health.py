"""Check a server's health by one small request to every ensemble, through all its stages.

Triton's own readiness is not enough: with a dead stage the server, the ensemble and the stage all
still answer "ready" (measured with 2.51), while every request fails.
"""

import argparse
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

_PROBE_TEXT = "健康"
_REQUEST_TIMEOUT_S = 15.0
_BUSY = "maximum queue size"


class UnhealthyError(Exception):
    """An ensemble or the server does not answer; the message is one line."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and options."""
    parser.description = "Ask every ensemble of a server one question."
    parser.add_argument("--repository", type=Path, required=True, help="the model repository")
    parser.add_argument(
        "--url", default="http://127.0.0.1:8000", help="the server's HTTP port (%(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Ask every ensemble; return 0 when all answer, 1 with one line when one does not."""
    try:
        asked = check(arguments.url, arguments.repository)
    except UnhealthyError as error:
        print(f"unhealthy: {error}")
        return 1
    print(f"healthy: {', '.join(asked)}")
    return 0


def check(url: str, repository: Path) -> list[str]:
    """List the ensembles that answered.

    The names come from the repository, because listing the server's is a restricted protocol.

    Raises:
        UnhealthyError: the server is not ready, has no ensemble, or one of them failed.
    """
    _fetch(f"{url}/v2/health/ready")
    names = sorted(path.parent.name for path in repository.glob("*/config.pbtxt"))
    asked = [name for name in names if _answers_itself(url, name)]
    if not asked:
        raise UnhealthyError(f"the server has no ensemble of {repository}")
    return asked


def _answers_itself(url: str, name: str) -> bool:
    """Ask one model; return True when it is a loaded ensemble and answered."""
    try:
        config = json.loads(_fetch(f"{url}/v2/models/{name}/config"))
    except UnhealthyError:
        return False  # not loaded: the server's readiness speaks for those that should be
    if config.get("platform") != "ensemble":
        return False
    inputs: list[dict[str, Any]] = [
        {"name": item["name"], "datatype": "BYTES", "shape": [1, 1], "data": [_PROBE_TEXT]}
        for item in config["input"]
    ]
    try:
        _fetch(f"{url}/v2/models/{name}/infer", json.dumps({"inputs": inputs}).encode())
    except UnhealthyError as error:
        # Refusing work over the limit is what a healthy server does under too much load.
        if _BUSY not in str(error):
            raise
    return True


def _fetch(url: str, body: bytes | None = None) -> bytes:
    try:
        with urllib.request.urlopen(url, data=body, timeout=_REQUEST_TIMEOUT_S) as response:
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        raise UnhealthyError(f"{url} answered {error.code}: {text}") from error
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        raise UnhealthyError(f"{url} does not answer: {error}") from error
