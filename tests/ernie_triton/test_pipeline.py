"""A pipeline's TOML says what it means or is refused, with the value and what was expected."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.errors import PipelineError
from ernie_triton.pipeline import (
    Batching,
    EngineSettings,
    PipelineSpec,
    PostprocessSettings,
    StageSettings,
    TokenizerSettings,
    load_pipeline,
)

SMALLEST = 'checkpoint = "c"\ntask = "seq_cls"\nrepository = "r"\n'
ENGINE = EngineSettings(
    task="seq_cls",
    engine="openvino",
    precision="bf16",
    layout="packed",
    threads=0,
    max_length=128,
    pad_token_id=0,
    vocabulary_size=40000,
    token_types=4,
)
SETTINGS = (
    TokenizerSettings(task="seq_cls", pair=True, max_length=64, lower_case=False),
    ENGINE,
    PostprocessSettings(task="seq_cls", labels=15),
)


def written(folder: Path, content: str) -> Path:
    path = folder / "pipeline.toml"
    path.write_text(content, encoding="utf-8")
    return path


def spec(**values: Any) -> PipelineSpec:
    given = {"checkpoint": Path("c"), "task": "seq_cls", "repository": Path("r"), **values}
    return PipelineSpec(**given)


def test_a_file_that_names_everything_is_read_whole(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        checkpoint = "models/news"
        task = "seq_cls"
        repository = "/srv/models"
        name = "news.v2-zh"
        pair = true
        labels = "../labels.json"
        vocab = "vocab.txt"
        texts = "texts.txt"
        max_length = 96
        engine = "onnxruntime"
        precision = "fp32"
        layout = "padded"
        threads = 3
        version = 7
        [batching]
        max_batch_size = 32
        max_queue_delay_us = 500
        max_queue_size = 9
        """,
    )
    assert load_pipeline(path) == PipelineSpec(
        checkpoint=tmp_path / "models/news",
        task="seq_cls",
        repository=Path("/srv/models"),
        name="news.v2-zh",
        pair=True,
        labels=tmp_path.parent / "labels.json",
        vocab=tmp_path / "vocab.txt",
        texts=tmp_path / "texts.txt",
        max_length=96,
        engine="onnxruntime",
        precision="fp32",
        layout="padded",
        threads=3,
        version=7,
        batching=Batching(max_batch_size=32, max_queue_delay_us=500, max_queue_size=9),
    )


def test_a_file_that_names_what_it_must_gets_the_defaults(tmp_path: Path) -> None:
    read = load_pipeline(written(tmp_path, SMALLEST))
    assert read == PipelineSpec(
        checkpoint=tmp_path / "c", task="seq_cls", repository=tmp_path / "r"
    )
    assert read.name == "ernie_seqcls"
    assert read.labels is read.vocab is read.texts is None
    assert read.batching == Batching()


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    read = load_pipeline(written(tmp_path, SMALLEST.replace('"c"', '"~/c"')))
    assert read.checkpoint == tmp_path / "home" / "c"


@pytest.mark.parametrize("file", ["tnews.toml", "afqmc.toml"])
def test_the_committed_pipelines_can_be_read(file: str) -> None:
    root = Path(__file__).parents[2]
    read = load_pipeline(root / "pipelines" / file)
    assert read.repository.resolve() == root / "model_repository"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('presision = "fp32"', r"unknown key 'presision'; known are checkpoint, task, .*batching"),
        ("[batching]\nmax_batch = 2", "unknown key 'max_batch'; known are max_batch_size, "),
        ("__slots__ = 1", "unknown key '__slots__'"),
        ('max_length = "128"', "max_length is '128'; expected int"),
        ("max_length = 128.0", "max_length is 128.0; expected int"),
        ("max_length = true", "max_length is True; expected int"),
        ("pair = 1", "pair is 1; expected bool"),
        ("name = 3", "name is 3; expected str"),
        ("labels = 3", "labels is 3; expected Path"),
        ("batching = 3", "batching is 3; expected Batching"),
        ("[batching]\nmax_batch_size = '8'", "max_batch_size is '8'; expected int"),
        ("max_length = 1", "max_length is 1; expected at least 2"),
        ("max_length = 2\npair = true", "max_length is 2; expected at least 3"),
        ("version = 0", "version is 0; expected at least 1"),
        ("threads = -1", "threads is -1; expected at least 0"),
        ('engine = "tensorrt"', "engine is 'tensorrt'; expected one of openvino, onnxruntime"),
        ('precision = "FP32"', "precision is 'FP32'; expected one of fp32, bf16"),
        ('layout = "ragged"', "layout is 'ragged'; expected one of packed, padded"),
        ('name = "a/b"', "name is 'a/b'; a model's name has letters, digits"),
        ('name = ".."', "name is '..'; a model's name"),
        ('engine = "onnxruntime"\nprecision = "bf16"', "ONNX Runtime has no bf16 on CPU; use"),
        ("[batching]\nmax_batch_size = 0", "max_batch_size is 0; expected at least 1"),
        ("[batching]\nmax_queue_size = 0", "max_queue_size is 0; expected at least 1"),
        ("[batching]\nmax_queue_delay_us = -1", "max_queue_delay_us is -1; expected at least 0"),
        ("x = ", "cannot be read as TOML"),
        ("version = 1\nversion = 2", "cannot be read as TOML"),
    ],
)
def test_what_the_contract_does_not_know_is_refused_by_file_and_value(
    line: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match=message) as caught:
        load_pipeline(written(tmp_path, SMALLEST + line))
    assert str(caught.value).startswith(str(tmp_path / "pipeline.toml"))


@pytest.mark.parametrize("key", ["checkpoint", "task", "repository"])
def test_a_missing_key_is_named(key: str, tmp_path: Path) -> None:
    lines = [line for line in SMALLEST.splitlines() if not line.startswith(key)]
    with pytest.raises(PipelineError, match=f"the key '{key}' is missing"):
        load_pipeline(written(tmp_path, "\n".join(lines)))


def test_an_unknown_task_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="the task 'ner' is not one of seq_cls"):
        load_pipeline(written(tmp_path, SMALLEST.replace("seq_cls", "ner")))


def test_a_missing_file_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"nowhere\.toml cannot be read"):
        load_pipeline(tmp_path / "nowhere.toml")


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_bytes(SMALLEST.encode() + "# 中".encode("gb18030"))
    with pytest.raises(PipelineError, match="cannot be read as TOML"):
        load_pipeline(path)


def test_stages_are_named_after_their_pipeline() -> None:
    assert spec(name="news").stage("engine") == "news_engine"


@pytest.mark.parametrize("name", ["a", "9", "_x", "ernie.seq-cls_2"])
def test_names_that_triton_takes_are_taken(name: str) -> None:
    assert spec(name=name).name == name


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: type(settings).__name__)
def test_settings_come_back_from_parameters(settings: StageSettings) -> None:
    parameters = settings.to_parameters()
    assert all(isinstance(value, str) for value in parameters.values())
    assert type(settings).from_parameters(parameters) == settings


def test_parameters_are_spelt_as_in_a_configuration() -> None:
    assert SETTINGS[0].to_parameters() == {
        "task": "seq_cls",
        "pair": "true",
        "max_length": "64",
        "lower_case": "false",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_length": "many"}, "the stage's parameter max_length is 'many'; expected int"),
        ({"pair": "True"}, "the stage's parameter pair is 'True'; expected bool"),
        ({"pair": "1"}, "the stage's parameter pair is '1'; expected bool"),
        ({"colour": "red"}, "colour.*expected .*; rebuild the pipeline with this version"),
    ],
)
def test_parameters_that_the_stage_does_not_know_are_refused(
    change: dict[str, str], message: str
) -> None:
    with pytest.raises(PipelineError, match=message):
        TokenizerSettings.from_parameters({**SETTINGS[0].to_parameters(), **change})


def test_a_missing_parameter_is_refused_with_those_expected() -> None:
    parameters = ENGINE.to_parameters()
    del parameters["layout"]
    with pytest.raises(PipelineError, match=r"expected .*'layout'"):
        EngineSettings.from_parameters(parameters)


def test_descriptions_cannot_be_changed_by_accident() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec().version = 2  # type: ignore[misc]
