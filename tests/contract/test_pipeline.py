"""A pipeline's TOML says what it means or is refused, with the value and what was expected."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.decoders.entities import EntitySettings
from ernie_triton.decoders.labels import LabelSettings
from ernie_triton.decoders.spans import AnswerSettings
from ernie_triton.decoders.vectors import VectorSettings
from ernie_triton.errors import PipelineError
from ernie_triton.pipeline import Answering, Batching, PipelineSpec, load_pipeline
from ernie_triton.settings import EngineSettings, StageSettings, TokenizerSettings
from tests.paths import ROOT

SMALLEST = 'checkpoint = "c"\ntask = "seq_cls"\nrepository = "r"\n'
ENGINE = EngineSettings(
    task="seq_cls",
    pair=False,
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
    TokenizerSettings(
        task="qa", pair=True, max_length=64, lower_case=False, overlap=16, max_windows=9
    ),
    ENGINE,
    LabelSettings(task="multi_label", labels=3, thresholds=(0.5, 0.1, 1e-7)),
    LabelSettings(task="seq_cls", labels=15, thresholds=()),
    EntitySettings(task="token_cls", labels=7, per_token=True),
    AnswerSettings(task="qa", max_answer_tokens=30, n_best=5, no_answer_threshold=math.inf),
    AnswerSettings(task="qa", max_answer_tokens=30, n_best=5, no_answer_threshold=-1.25),
    VectorSettings(task="embedding", normalize=False),
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
        [answering]
        overlap = 24
        max_windows = 5
        per_token = true
        max_answer_tokens = 12
        n_best = 3
        no_answer_threshold = 1
        pooling = "mean"
        normalize = false
        [answering.thresholds]
        default = 0.4
        "体育" = 1
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
        answering=Answering(
            overlap=24,
            max_windows=5,
            per_token=True,
            max_answer_tokens=12,
            n_best=3,
            no_answer_threshold=1.0,
            thresholds={"default": 0.4, "体育": 1.0},
            pooling="mean",
            normalize=False,
        ),
    )


def test_a_file_that_names_what_it_must_gets_the_defaults(tmp_path: Path) -> None:
    read = load_pipeline(written(tmp_path, SMALLEST))
    assert read == PipelineSpec(
        checkpoint=tmp_path / "c", task="seq_cls", repository=tmp_path / "r"
    )
    assert read.name == "ernie_seqcls"
    assert read.labels is read.vocab is read.texts is None
    assert read.batching == Batching()
    assert read.answering == Answering()


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    read = load_pipeline(written(tmp_path, SMALLEST.replace('"c"', '"~/c"')))
    assert read.checkpoint == tmp_path / "home" / "c"


@pytest.mark.parametrize("path", sorted((ROOT / "pipelines").glob("*.toml")), ids=lambda p: p.stem)
def test_the_committed_pipelines_can_be_read(path: Path) -> None:
    assert load_pipeline(path).repository.resolve() == ROOT / "model_repository"


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
        ("postprocess_instances = -1", "postprocess_instances is -1; expected at least 0"),
        (
            "tokenizer_instances = 2",
            "tokenizer_instances is 2 .* joined stages are one process",
        ),
        (
            "joined = false\ntokenizer_instances = 2\n[batching]\nmax_queue_size = 9",
            "tokenizer_instances is 2 and max_queue_size 9; one process counts",
        ),
        (
            'engine = "tensor"',
            "engine is 'tensor'; expected one of auto, openvino, onnx",
        ),
        ('precision = "FP32"', "precision is 'FP32'; expected one of fp32, bf16"),
        ('layout = "ragged"', "layout is 'ragged'; expected one of packed, padded"),
        ('name = "a/b"', "name is 'a/b'; a model's name has letters, digits"),
        ('name = ".."', "name is '..'; a model's name"),
        (
            'engine = "onnxruntime"\nprecision = "bf16"',
            "the engine onnxruntime has no bf16, only",
        ),
        ("[batching]\nmax_batch_size = 0", "max_batch_size is 0; expected at least 1"),
        ("[batching]\nmax_queue_size = -1", "max_queue_size is -1; expected at least 0"),
        ("[batching]\nmax_queue_delay_us = -1", "max_queue_delay_us is -1; expected at least 0"),
        ("[answering]\nstride = 2", "unknown key 'stride'; known are overlap, max_windows, "),
        ("[answering]\noverlap = -1", "overlap is -1; expected at least 0"),
        ("[answering]\nmax_windows = 0", "max_windows is 0; expected at least 1"),
        ("[answering]\nmax_answer_tokens = 0", "max_answer_tokens is 0; expected at least 1"),
        ("[answering]\nn_best = 0", "n_best is 0; expected at least 1"),
        ('[answering]\npooling = "top"', "pooling is 'top'; expected one of cls, max, mean, "),
        ('[answering]\npooling = "cls+pooler"', "pooling is 'cls.pooler'; expected one of cls, "),
        ('[answering]\nactivation = "tanh"', "activation is 'tanh'; expected one of "),
        ('[answering]\nprompt = "a"\nprompt_name = "b"', "prompt and prompt_name are both given"),
        ("[answering]\nno_answer_threshold = true", "no_answer_threshold is True; expected float"),
        ("[answering]\nthresholds = 0.5", "thresholds is 0.5; expected Mapping"),
        ("[answering.thresholds]\na = 'b'", r"thresholds\.a is 'b'; expected float"),
        ("[answering.thresholds]\na = 1.5", "the threshold of a is 1.5; expected 0 to 1"),
        ("[answering.thresholds]\na = nan", "the threshold of a is nan; expected 0 to 1"),
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


def test_stages_are_joined_on_a_cpu_and_named_after_their_ensemble_elsewhere() -> None:
    on_gpu = {"engine": "onnxruntime", "device": "gpu"}
    for given, joined in (({}, True), ({"joined": False}, False), (on_gpu, False)):
        made = spec(name="news", **given)
        assert made.is_joined is joined
        assert made.stage("engine") == ("news" if joined else "news_engine")
    assert not dataclasses.replace(spec(), engine="tensorrt").is_joined


def test_windows_share_a_quarter_of_their_length_unless_told() -> None:
    assert spec(task="token_cls", max_length=128).overlap == 32
    assert spec(task="token_cls", answering=Answering(overlap=5)).overlap == 5


def test_a_task_of_pairs_alone_needs_no_word_of_it() -> None:
    assert spec(task="qa").pair
    with pytest.raises(PipelineError, match="the task token_cls takes single texts; found pairs"):
        spec(task="token_cls", pair=True)


@pytest.mark.parametrize("task", ["token_cls", "qa"])
def test_a_window_without_room_for_the_text_is_refused(task: str) -> None:
    assert spec(task=task, max_length=8).max_length == 8
    with pytest.raises(PipelineError, match="max_length is 7; expected at least 8"):
        spec(task=task, max_length=7)


@pytest.mark.parametrize(("task", "rows"), [("seq_cls", 64), ("token_cls", 256), ("qa", 256)])
def test_stages_after_the_first_take_every_window_of_a_request(task: str, rows: int) -> None:
    assert spec(task=task).max_stage_rows == rows
    few = Answering(max_windows=3)
    assert spec(task=task, answering=few).max_stage_rows == 64


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
        "task": "qa",
        "pair": "true",
        "max_length": "64",
        "lower_case": "false",
        "overlap": "16",
        "max_windows": "9",
    }
    assert SETTINGS[2].to_parameters()["thresholds"] == "0.5,0.1,1e-07"
    assert SETTINGS[3].to_parameters()["thresholds"] == ""


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
