"""A training that is killed at any moment ends as an unbroken one, to the last bit."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.paths import ROOT


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("killing")
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.killing", str(folder)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("life", "deaths"),
    [
        ("before the first checkpoint", 1),
        ("between checkpoints", 2),
        ("at the end of an epoch", 1),
        ("while files are written", 3),
        ("before and after a checkpoint has its name", 3),
        ("after the last step", 1),
    ],
)
def test_a_killed_training_ends_as_an_unbroken_one(
    outcomes: dict[str, Any], life: str, deaths: int
) -> None:
    unbroken, found = outcomes["unbroken"], outcomes[life]
    assert (unbroken["deaths"], found["deaths"]) == (0, deaths)
    for key in ("weights", "points", "kept", "evaluations", "losses"):
        assert found[key] == unbroken[key], key


def test_the_deaths_left_something_to_go_on_with(outcomes: dict[str, Any]) -> None:
    assert outcomes["before the first checkpoint"]["seen"][0] == ["run.json"]
    for life in ("between checkpoints", "at the end of an epoch", "while files are written"):
        for seen in outcomes[life]["seen"]:
            assert sum(name.startswith("checkpoint-") for name in seen) == 1
    half = outcomes["while files are written"]["seen"]
    assert any("partial" in seen for seen in half)
    assert any(name.endswith(".pt.partial") for seen in half for name in seen)
    assert outcomes["unbroken"]["kept"] < outcomes["unbroken"]["evaluations"][-1][0]
