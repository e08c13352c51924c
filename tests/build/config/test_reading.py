"""A stage's configuration: its parameters as the embedded server reads them, and changed values."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from ernie_triton.build.config.reading import (
    ServingChange,
    changed_config,
    embedded_config,
    pipeline_stage,
    stage_parameters,
)
from ernie_triton.errors import RepositoryError

CONFIG = """
name: "a_engine"
parameters {{ key: "engine" value {{ string_value: "{engine}" }} }}
parameters {{ key: "threads" value {{ string_value: "2" }} }}
"""


def test_string_parameters_come_by_name(tmp_path: Path) -> None:
    (tmp_path / "config.pbtxt").write_text(CONFIG.format(engine="openvino"), encoding="utf-8")
    assert dict(stage_parameters(tmp_path)) == {"engine": "openvino", "threads": "2"}


def test_a_stages_parameters_are_found_in_its_own_model_or_in_joined_ones(tmp_path: Path) -> None:
    model = tmp_path / "a_engine"
    model.mkdir()
    (model / "config.pbtxt").write_text(CONFIG.format(engine="openvino"), encoding="utf-8")
    assert pipeline_stage(tmp_path, "a", "engine") == (model, stage_parameters(model))
    joined = tmp_path / "b"
    joined.mkdir()
    text = CONFIG.format(engine="onnxruntime").replace('"engine"', '"engine.engine"')
    (joined / "config.pbtxt").write_text(text, encoding="utf-8")
    assert pipeline_stage(tmp_path, "b", "engine") == (joined, {"engine": "onnxruntime"})
    with pytest.raises(RepositoryError, match="cannot be read"):
        pipeline_stage(tmp_path, "c", "engine")


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


BATCHING = """
max_batch_size: 64
instance_group {{ count: 1 kind: KIND_CPU }}
dynamic_batching {{ default_queue_policy {{ max_queue_size: 7 }} }}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "config.pbtxt"
    path.write_text(text.format(engine="openvino"), encoding="utf-8")
    return path


def test_the_file_that_is_read_is_the_embedded_servers_where_there_is_one(tmp_path: Path) -> None:
    written(tmp_path, CONFIG)
    assert embedded_config(tmp_path) == Path("config.pbtxt")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "embedded.pbtxt").write_text("", encoding="utf-8")
    assert embedded_config(tmp_path) == Path("configs/embedded.pbtxt")


def test_changed_values_are_all_that_differs(tmp_path: Path) -> None:
    path = written(tmp_path, CONFIG + BATCHING)
    change = ServingChange(
        max_batch_size=16, max_queue_delay_us=500, instances=2, parameters={"threads": "3"}
    )
    wanted = text_format.Parse(
        path.read_text(encoding="utf-8")
        .replace("max_batch_size: 64", "max_batch_size: 16")
        .replace("count: 1", "count: 2")
        .replace("max_queue_size: 7 }", "max_queue_size: 7 } max_queue_delay_microseconds: 500")
        .replace('"2"', '"3"'),
        model_config_pb2.ModelConfig(),
    )
    changed = text_format.Parse(changed_config(path, change), model_config_pb2.ModelConfig())
    assert changed == wanted
    assert path.read_text(encoding="utf-8") == (CONFIG + BATCHING).format(engine="openvino")


def test_no_change_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, CONFIG + BATCHING)
    before = text_format.Parse(path.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
    text = changed_config(path, ServingChange())
    assert text_format.Parse(text, model_config_pb2.ModelConfig()) == before


def test_a_model_without_a_batcher_gets_none(tmp_path: Path) -> None:
    path = written(tmp_path, CONFIG)
    assert "dynamic_batching" not in changed_config(path, ServingChange(max_queue_delay_us=500))


def test_a_parameter_that_is_not_there_is_not_made_up(tmp_path: Path) -> None:
    path = written(tmp_path, CONFIG)
    with pytest.raises(RepositoryError, match="has no parameter 'treads'"):
        changed_config(path, ServingChange(parameters={"treads": "2"}))
