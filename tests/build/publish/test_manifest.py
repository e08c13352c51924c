"""The manifest says what was built, as JSON beside the ensemble."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from ernie_triton.build.publish.manifest import file_hashes
from tests.build.publish.manifests import MADE


def test_json_holds_every_value() -> None:
    values = json.loads(MADE.to_json())
    values.pop("checksum")
    assert values == json.loads(json.dumps(dataclasses.asdict(MADE)))
    assert values["model"]["heads"] == [12, 10]
    assert values["model"]["labels"] == ["财经", "体育"]
    assert "财经" in MADE.to_json()
    assert MADE.to_json().endswith("}\n")


@pytest.mark.parametrize("size_bytes", [0, 5, 1024 * 1024, 1024 * 1024 + 1])
def test_hashes_are_sha256_by_file_name(tmp_path: Path, size_bytes: int) -> None:
    content = bytes(i % 251 for i in range(size_bytes))
    (tmp_path / "a").write_bytes(content)
    (tmp_path / "b").write_bytes(b"b")
    assert file_hashes([tmp_path / "a", tmp_path / "b"]) == {
        "a": hashlib.sha256(content).hexdigest(),
        "b": hashlib.sha256(b"b").hexdigest(),
    }
