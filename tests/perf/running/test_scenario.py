"""Scenarios: what a file may say, and the committed ones."""

import dataclasses
from pathlib import Path

import pytest

from ernie_triton.errors import ScenarioError
from ernie_triton.perf.results import RequestLoad
from ernie_triton.perf.running.scenario import Scenario, load_scenario
from ernie_triton.tasks import TASKS
from tests.paths import ROOT

FOLDER = ROOT / "perf" / "scenarios"
COMMITTED = sorted(FOLDER.glob("*.toml"))

HEAD = """
title = "a test"
task = "seq_cls"
[[subjects]]
name = "one"
model = "ernie_seqcls"
"""
TEXTS = """
[texts]
[[texts.kinds]]
name = "short"
share = 0.75
tokens = 16
[[texts.kinds]]
name = "long"
share = 0.25
mean = 60
deviation = 5
"""
LOADS = """
[[loads]]
concurrency = [1, 8]
"""


def read(tmp_path: Path, text: str) -> Scenario:
    path = tmp_path / "scenario.toml"
    path.write_text(text, encoding="utf-8")
    return load_scenario(path)


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(ScenarioError) as raised:
        read(tmp_path, text)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_loads_are_every_level_with_every_batch_size(tmp_path: Path) -> None:
    loads = """
    [[loads]]
    concurrency = [1, 8]
    batch_size = [1, 4]
    texts = ["short"]
    [[loads]]
    of_maximum = [0.7]
    texts = ["short"]
    [[loads]]
    request_rate = [12.5]
    """
    scenario = read(tmp_path, HEAD + TEXTS + loads)
    assert [load for spec in scenario.loads for load in spec.loads()] == [
        RequestLoad(mode="concurrency", level=1, batch_size=1, texts="short"),
        RequestLoad(mode="concurrency", level=8, batch_size=1, texts="short"),
        RequestLoad(mode="concurrency", level=1, batch_size=4, texts="short"),
        RequestLoad(mode="concurrency", level=8, batch_size=4, texts="short"),
        RequestLoad(mode="request_rate", level=0, texts="short", of_maximum=0.7),
        RequestLoad(mode="request_rate", level=12.5),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + TEXTS + LOADS + "conccurency = [1]", "unknown key 'conccurency'"),
        (HEAD + TEXTS + LOADS + "[measurement]\n", "unknown key 'measurement'"),
        (HEAD.replace("seq_cls", "seq_clf", 1) + TEXTS + LOADS, "'seq_clf' is not one of"),
        (HEAD.replace("seq_cls", "qa", 1) + TEXTS, "the key 'loads' is missing"),
        (HEAD + TEXTS + "[[loads]]\n", "needs one of concurrency, request_rate and of_maximum"),
        (HEAD + TEXTS + LOADS + "request_rate = [1]", "needs one of concurrency"),
        (HEAD + TEXTS + "[[loads]]\nconcurrency = [0]", "must be above 0"),
        (HEAD + TEXTS + LOADS + "batch_size = []", "must be above 0"),
        (HEAD + TEXTS + LOADS + 'texts = ["lang"]', "'lang'; known are short, long"),
        (HEAD + TEXTS + LOADS + "separate = true", "separate needs an open loop"),
        (HEAD + TEXTS + "[[loads]]\nof_maximum = [0.7]", "needs a concurrency load"),
        (HEAD + TEXTS + LOADS + "[[loads]]\nof_maximum = [1]", "the queue only grows"),
        (HEAD + TEXTS.replace("0.25", "0.5") + LOADS, "0.75 + 0.5; expected 1"),
        (HEAD + TEXTS.replace('"long"', '"short"') + LOADS, "'short' is named twice"),
        (HEAD + TEXTS.replace("tokens = 16", "") + LOADS, "either tokens"),
        (HEAD + TEXTS.replace("mean = 60", "mean = 600") + LOADS, "expected ascending"),
        (HEAD + "[texts]\n" + LOADS, "either a file or kinds"),
        (HEAD + TEXTS + LOADS + "[measuring]\nwindow_s = 0.1", "window_s of 0.2 or more"),
        (HEAD + TEXTS + LOADS + "[stability]\nother_cores = -1", "is negative"),
        (HEAD + TEXTS + LOADS + "[checking]\nper_second = 0", "per_second above 0"),
    ],
)
def test_a_mistake_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    assert message in refused(tmp_path, text)


def test_a_task_of_two_texts_needs_no_word_about_pairs(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD.replace("seq_cls", "qa", 1) + TEXTS + LOADS).pair


def test_models_are_replaced_by_the_subjects_name(tmp_path: Path) -> None:
    scenario = read(tmp_path, HEAD + TEXTS + LOADS)
    assert scenario.with_models({"one": "mine"}).subjects[0].model == "mine"
    assert scenario.with_models({}) == scenario
    with pytest.raises(ScenarioError, match="no subject 'two'; known are one"):
        scenario.with_models({"two": "mine"})


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_a_committed_scenario_is_valid(path: Path) -> None:
    scenario = load_scenario(path)
    for subject in scenario.subjects:
        assert subject.model.startswith("ernie_")
        assert subject.precision
        assert subject.layout


def test_every_task_has_a_committed_scenario() -> None:
    assert {load_scenario(path).task for path in COMMITTED} == set(TASKS)


def test_the_scenarios_of_gpus_hold_the_published_settings() -> None:
    # TNEWS at 128 tokens, batches of 1 and 32; a V100 has no INT8 tensor cores.
    published = {
        RequestLoad(mode="concurrency", level=1, batch_size=size, texts="seq128")
        for size in (1, 32)
    }
    precisions = {"t4": {"fp32", "fp16", "int8"}, "v100": {"fp32", "fp16"}}
    for name, expected in precisions.items():
        scenario = load_scenario(FOLDER / f"{name}.toml")
        assert {subject.precision for subject in scenario.subjects} == expected
        assert published <= {load for spec in scenario.loads for load in spec.loads()}
        assert next(kind for kind in scenario.texts.kinds if kind.name == "seq128").tokens == 128


def test_the_scenarios_of_gpus_send_the_same_but_for_the_highest_concurrency() -> None:
    t4, v100 = (load_scenario(FOLDER / f"{name}.toml") for name in ("t4", "v100"))
    assert t4.texts == v100.texts
    (fewer,) = (load for load in t4.loads if load not in v100.loads)
    (more,) = (load for load in v100.loads if load not in t4.loads)
    assert more == dataclasses.replace(fewer, concurrency=(*fewer.concurrency, 256))
