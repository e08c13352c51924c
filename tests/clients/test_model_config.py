"""A stage's parameters, read from the configuration that the embedded server would read."""

from pathlib import Path

import pytest

from clients.model_config import stage_parameters
from ernie_triton.errors import RepositoryError

CONFIG = """
name: "a_engine"
parameters {{ key: "engine" value {{ string_value: "{engine}" }} }}
parameters {{ key: "threads" value {{ string_value: "2" }} }}
"""


def test_string_parameters_come_by_name(tmp_path: Path) -> None:
    (tmp_path / "config.pbtxt").write_text(CONFIG.format(engine="openvino"), encoding="utf-8")
    assert dict(stage_parameters(tmp_path)) == {"engine": "openvino", "threads": "2"}


def test_the_embedded_servers_own_configuration_wins(tmp_path: Path) -> None:
    (tmp_path / "config.pbtxt").write_text(CONFIG.format(engine="tensorrt"), encoding="utf-8")
    (tmp_path / "configs").mkdir()
    embedded = tmp_path / "configs" / "embedded.pbtxt"
    embedded.write_text(CONFIG.format(engine="openvino"), encoding="utf-8")
    assert stage_parameters(tmp_path)["engine"] == "openvino"


def test_a_model_without_a_configuration_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=r"config\.pbtxt cannot be read"):
        stage_parameters(tmp_path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.pbtxt").write_text("not: [a config", encoding="utf-8")
    with pytest.raises(RepositoryError, match="is no configuration of Triton"):
        stage_parameters(tmp_path)
