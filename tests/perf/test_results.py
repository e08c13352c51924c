"""Results survive their file."""

import dataclasses
import json
from pathlib import Path

import pytest

from ernie_triton.errors import DatasetError
from ernie_triton.perf.results import read_run
from tests.perf.runs import a_measurement, a_run


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = a_run(a_measurement(), dataclasses.replace(a_measurement(), unstable=("noise",)))
    path = tmp_path / "run.json"
    path.write_text(run.to_json(), encoding="utf-8")
    assert read_run(path) == run


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"format": 99}', '{"format": 1, "scenario": "x"}'],
)
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=r"run\.json"):
        read_run(path)


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    content = json.loads(a_run(a_measurement()).to_json())
    content["measurements"][0]["qsp"] = 1.0
    path = tmp_path / "run.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DatasetError, match="qsp"):
        read_run(path)
