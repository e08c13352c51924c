"""Whole builds of each task: configurations that fit, engines that answer as the checkpoint."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ernie_triton.batch import TokenBatch
from ernie_triton.decoders.entities import EntitySettings
from ernie_triton.decoders.labels import LabelSettings
from ernie_triton.decoders.spans import AnswerSettings
from ernie_triton.decoders.vectors import VectorSettings
from ernie_triton.engines import load_engine
from ernie_triton.settings import EngineSettings, StageSettings
from ernie_triton.stages.postprocess import PostprocessStage
from ernie_triton.tasks import TASKS
from tests.build.config.configs import (
    Configs,
    assert_links_agree,
    configs_in,
    parameters_of,
    tensors_of,
)
from tests.build.load.exports import transformers_model
from tests.build.models import (
    LABELS,
    PADDLE_EXAMPLE,
    assert_rows_equal,
    expected_outputs,
    random_rows,
    save_paddlenlp,
    save_transformers,
    tree_of,
)
from tests.commands import Run

BATCH = random_rows((9, 2, 100, 33))
PAIRS = random_rows((9, 2, 100, 33), types=2)
RAGGED = {
    "token_cls": {"logits", "spans"},
    "qa": {"start_logits", "end_logits", "spans"},
}
HEADS = {"seq_cls": "sequence", "token_cls": "token", "qa": "span", "embedding": "vector"}
Build = Callable[..., Configs]


def source_of(task: str, **settings: Any) -> Any:
    """A model for the task; one that scores has our labels unless `settings` say how many."""
    if task in ("seq_cls", "token_cls") and "num_labels" not in settings:
        settings["id2label"] = dict(enumerate(LABELS))
    return transformers_model("ernie", head=HEADS[task], max_position_embeddings=160, **settings)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.tsv"
    path.write_text("今天\t今天的比赛几点开始\n\n1 2\t3 4\n天气好不好\t好\n", encoding="utf-8")
    return path


@pytest.fixture
def build(tmp_path: Path, run: Run, texts: Path) -> Build:
    """Build a checkpoint as `p` into `models`; give the configurations, which have to fit."""

    def build(task: str, checkpoint: Path, *options: object) -> Configs:
        where = ("--repository", tmp_path / "models", "--name", "p", "--no-joined")
        chosen = ("--task", task, "--checkpoint", checkpoint)
        done = run("build", *chosen, *where, "--texts", texts, "--max-batch-size", 8, *options)
        assert (done.code, done.other_lines) == (0, []), done.stderr
        configs = configs_in(tmp_path / "models", "p")
        assert_links_agree(configs)
        return configs

    return build


def served_by(repository: Path, configs: Configs, batch: TokenBatch = BATCH) -> Any:
    """What the engine stage answers, loaded as it loads itself."""
    settings = EngineSettings.from_parameters(parameters_of(configs["p_engine"]))
    return load_engine(repository / "p_engine/1", settings).run(batch)


def settings_in(repository: Path, configs: Configs, kind: type[StageSettings]) -> Any:
    """The postprocess stage's settings, which it takes."""
    parameters = parameters_of(configs["p_postprocess"])
    stage = PostprocessStage.open(parameters, repository / "p_postprocess/1")
    names = {tensor.name for tensor in configs["p_postprocess"].input}
    assert set(stage.inputs) == names
    return kind.from_parameters(parameters)


@pytest.mark.parametrize(
    ("task", "options", "pooling", "settings"),
    [
        ("token_cls", (), "", EntitySettings(task="token_cls", labels=5, per_token=False)),
        (
            "token_cls",
            ("--per-token", "--engine", "onnxruntime", "--layout", "padded"),
            "",
            EntitySettings(task="token_cls", labels=5, per_token=True),
        ),
        (
            "qa",
            ("--layout", "padded"),
            "",
            AnswerSettings(task="qa", max_answer_tokens=64, n_best=5, no_answer_threshold=math.inf),
        ),
        (
            "qa",
            ("--no-answer-threshold", -0.5, "--n-best", 2, "--engine", "onnxruntime"),
            "",
            AnswerSettings(task="qa", max_answer_tokens=64, n_best=2, no_answer_threshold=-0.5),
        ),
        ("embedding", (), "cls", VectorSettings(task="embedding", normalize=True)),
        (
            "embedding",
            ("--pooling", "mean", "--no-normalize"),
            "mean",
            VectorSettings(task="embedding", normalize=False),
        ),
        (
            "embedding",
            ("--pooling", "pooler", "--layout", "padded"),
            "pooler",
            VectorSettings(task="embedding", normalize=True),
        ),
    ],
)
def test_each_task_is_built_and_answers_as_its_checkpoint(
    tmp_path: Path,
    build: Build,
    task: str,
    options: tuple[object, ...],
    pooling: str,
    settings: StageSettings,
) -> None:
    source = source_of(task)
    configs = build(task, save_transformers(source, tmp_path / "checkpoint"), *options)
    repository = tmp_path / "models"
    batch = PAIRS if task == "qa" else BATCH
    found = served_by(repository, configs, batch)
    expected = expected_outputs(source, batch, pooling)
    assert_rows_equal(found, expected, per_token=TASKS[task].is_per_token)
    assert settings_in(repository, configs, type(settings)) == settings

    ragged = {t.name for t in configs["p_postprocess"].input if t.allow_ragged_batch}
    assert ragged == RAGGED.get(task, set())
    rows = 256 if TASKS[task].has_windows else 8
    assert [config.max_batch_size for config in configs.values()] == [8, 8, rows, rows]
    has_labels = (repository / "p_postprocess/labels.txt").is_file()
    assert has_labels == (task == "token_cls")


def test_more_windows_are_more_rows_after_the_tokenizer(tmp_path: Path, build: Build) -> None:
    folder = save_transformers(source_of("qa"), tmp_path / "checkpoint")
    configs = build("qa", folder, "--max-windows", 1000, "--overlap", 5)
    assert parameters_of(configs["p_tokenizer"])["max_windows"] == "1000"
    assert parameters_of(configs["p_tokenizer"])["overlap"] == "5"
    assert [config.max_batch_size for config in configs.values()] == [8, 8, 1000, 1000]


@pytest.mark.parametrize(
    ("settings", "task", "results"),
    [
        (
            {"problem_type": "multi_label_classification"},
            "multi_label",
            ["confidence", "label", "label_name", "scores", "selected", "truncated"],
        ),
        (
            {"num_labels": 1, "problem_type": "regression"},
            "regression",
            ["score", "truncated"],
        ),
        ({"num_labels": 1}, "regression", ["score", "truncated"]),
    ],
)
def test_a_classifier_becomes_the_task_of_its_problem(
    tmp_path: Path, build: Build, settings: dict[str, Any], task: str, results: list[str]
) -> None:
    source = source_of("seq_cls", **settings)
    configs = build("seq_cls", save_transformers(source, tmp_path / "checkpoint"))
    assert sorted(tensors_of(configs["p"].output)) == results
    for part in ("tokenizer", "engine", "postprocess"):
        assert parameters_of(configs[f"p_{part}"])["task"] == task
    repository = tmp_path / "models"
    settings_in(repository, configs, LabelSettings)
    made = json.loads((repository / "p/1/manifest.json").read_text(encoding="utf-8"))
    assert made["task"] == task
    found = served_by(repository, configs)
    assert_rows_equal(found, expected_outputs(source, BATCH), per_token=False)


def test_a_problem_that_the_checkpoint_does_not_say_can_be_said(
    tmp_path: Path, build: Build
) -> None:
    folder = save_paddlenlp(source_of("seq_cls"), tmp_path / "checkpoint")
    configs = build("multi_label", folder, "--threshold", "体育=0.3", "--threshold", "0.6")
    settings = settings_in(tmp_path / "models", configs, LabelSettings)
    assert settings.thresholds == (0.6, 0.3, 0.6, 0.6, 0.6)
    assert tensors_of(configs["p"].output)["selected"] == (1, [5])


def test_thresholds_of_a_recognised_multi_label_model_are_honoured(
    tmp_path: Path, build: Build
) -> None:
    source = source_of("seq_cls", problem_type="multi_label_classification")
    folder = save_transformers(source, tmp_path / "checkpoint")
    configs = build("seq_cls", folder, "--threshold", "体育=0.3")
    settings = settings_in(tmp_path / "models", configs, LabelSettings)
    assert settings.thresholds == (0.5, 0.3, 0.5, 0.5, 0.5)


def test_an_unknown_label_in_a_threshold_is_one_line_and_writes_nothing(
    tmp_path: Path, run: Run, texts: Path
) -> None:
    folder = save_transformers(source_of("seq_cls"), tmp_path / "checkpoint")
    chosen = ("--task", "multi_label", "--checkpoint", folder, "--threshold", "体肓=0.3")
    done = run("build", *chosen, "--repository", tmp_path / "models", "--texts", texts)
    assert done.code == 1
    assert done.other_lines == [
        "error: thresholds name 体肓, which the model does not have; its labels are "
        + ", ".join(LABELS)
    ]
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("is_of", ["seq_cls", "token_cls", "qa"])
def test_vectors_are_built_of_any_fine_tuned_model(
    tmp_path: Path, build: Build, is_of: str
) -> None:
    source = source_of(is_of)
    folder = save_transformers(source, tmp_path / "checkpoint")
    configs = build("embedding", folder, "--pooling", "mean")
    found = served_by(tmp_path / "models", configs)
    assert_rows_equal(found, expected_outputs(source.ernie, BATCH, "mean"), per_token=False)


@pytest.mark.parametrize("task", ["token_cls", "qa"])
@pytest.mark.parametrize("source", ["checkpoint", "inference"])
def test_what_paddle_wrote_is_built(tmp_path: Path, build: Build, task: str, source: str) -> None:
    vocabulary = ("--vocab", PADDLE_EXAMPLE / "vocab.txt") if source == "inference" else ()
    configs = build(task, PADDLE_EXAMPLE / f"{task}_{source}", *vocabulary)
    assert parameters_of(configs["p_engine"])["layout"] == "packed"
    kind = EntitySettings if task == "token_cls" else AnswerSettings
    settings_in(tmp_path / "models", configs, kind)


@pytest.mark.parametrize(
    ("is_of", "task"), [("token_cls", "qa"), ("qa", "seq_cls"), ("seq_cls", "token_cls")]
)
def test_a_checkpoint_of_another_task_is_one_line_that_names_both(
    tmp_path: Path, run: Run, is_of: str, task: str
) -> None:
    folder = save_transformers(source_of(is_of), tmp_path / "checkpoint")
    before = tree_of(tmp_path)
    done = run("build", "--task", task, "--checkpoint", folder, "--repository", tmp_path / "models")
    assert done.code == 1
    (line,) = done.other_lines
    assert f"is a model of {is_of}" in line
    assert f"found --task of {task}" in line
    assert tree_of(tmp_path) == before


def test_a_classifier_without_the_pooler_that_transformers_wants_is_one_line(
    tmp_path: Path, run: Run, texts: Path
) -> None:
    # transformers goes on with a random one, and its answers would be random too.
    source = source_of("seq_cls")
    state = {name: part for name, part in source.state_dict().items() if "pooler" not in name}
    folder = save_transformers(source, tmp_path / "checkpoint", state=state)
    chosen = ("--task", "seq_cls", "--checkpoint", folder, "--repository", tmp_path / "models")
    done = run("build", *chosen, "--texts", texts)
    assert done.code == 1
    (line,) = done.other_lines
    assert "has no array 'ernie.pooler.dense.weight'" in line
