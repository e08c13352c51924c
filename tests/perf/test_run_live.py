"""`python -m perf run` against the real server, end to end."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ernie_triton.perf.results import RequestLoad, ScenarioRun, read_run
from ernie_triton.server.builds.recording import accept_build
from ernie_triton.server.embedded import EmbeddedServer
from tests.commands import command
from tests.paths import ROOT

main = command("perf")

pytestmark = pytest.mark.live

SCENARIOS = ROOT / "perf" / "scenarios"
TIMEOUT_S = 240

SMALL = """
title = "a small run"
task = "seq_cls"
[[subjects]]
name = "sample"
model = "ernie_seqcls"
precision = "fp32"
[texts]
entries = 64
[[texts.kinds]]
name = "short"
share = 0.9
mean = 20
deviation = 5
shortest = 8
longest = 60
[[texts.kinds]]
name = "long"
share = 0.1
tokens = 100
[checking]
per_second = 20
rows = 16
[[loads]]
concurrency = [4]
[[loads]]
of_maximum = [0.4]
separate = true
"""

# A batching bug: requests that run together get each other's answers.
SWAPPING = '''
"""A postprocess stage that mixes up the requests of a batch."""

from ernie_triton.backends.postprocess import TritonPythonModel as Sound


class TritonPythonModel(Sound):
    def execute(self, requests):
        return list(reversed(super().execute(requests)))
'''


def quick(path: Path, output: Path, *options: str) -> ScenarioRun:
    assert main(["run", str(path), "--quick", "--output", str(output), *options]) == 0
    return read_run(output)


def saved(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_run_measures_its_loads_and_says_what_is_not_to_be_trusted(
    server: EmbeddedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path, SMALL)
    run = quick(path, tmp_path / "run.json", "--url", server.url)
    closed, alone, short, long = run.measurements
    assert closed.load == RequestLoad(mode="concurrency", level=4)
    rate = 0.4 * closed.qps
    assert alone.load.level == pytest.approx(0.9 * rate)
    assert [(one.load.texts, one.load.beside) for one in (alone, short, long)] == [
        ("short", ""),
        ("short", "long"),
        ("long", "short"),
    ]
    assert long.load.level == pytest.approx(0.1 * rate)
    assert run.failures == ()
    for one in run.measurements:
        assert one.qps > 0
        latency = one.latency
        assert 0 < latency.p50_us <= latency.p90_us <= latency.p95_us <= latency.p99_us
        assert set(one.stages) == {"tokenizer", "engine", "postprocess"}
        assert all(stage.executions > 0 and stage.batch >= 1 for stage in one.stages.values())
        assert set(one.stage_memory_bytes) == set(one.stages)
        assert one.server_cores is not None
        assert one.server_cores > 0
        assert one.unstable[0] == "shortened by --quick"
    assert sum(one.checked_answers for one in run.measurements) > 0
    assert run.server.startswith("Triton 2.51.0 at 127.0.0.1")
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == str(tmp_path / "run.json")
    assert "sample, concurrency 4" in captured.err


def test_a_scenario_of_a_gpu_runs_unchanged_against_the_embedded_server(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    subject = "medium fp16"
    options = ("--subject", subject, "--model", f"{subject}=ernie_seqcls", "--url", server.url)
    run = quick(SCENARIOS / "v100.toml", tmp_path / "run.json", *options)
    assert run.failures == ()
    seen = {(one.load.texts, one.load.level, one.load.batch_size) for one in run.measurements}
    assert {("seq128", 1, 1), ("seq128", 1, 32), ("titles", 1, 1)} <= seen
    assert {one.load.mode for one in run.measurements} == {"concurrency", "request_rate"}


@pytest.mark.parametrize("name", ["seq_cls_pair", "token_cls", "qa", "embedding"])
def test_other_tasks_are_sent_what_their_models_take(
    server: EmbeddedServer, tmp_path: Path, name: str
) -> None:
    text = (SCENARIOS / f"{name}.toml").read_text(encoding="utf-8")
    path = saved(tmp_path, text[: text.index("[[loads]]")] + "[[loads]]\nconcurrency = [2]\n")
    run = quick(path, tmp_path / "run.json", "--url", server.url)
    (found,) = run.measurements
    assert found.qps > 0


def test_a_file_takes_the_place_of_the_scenarios_texts(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    path = saved(tmp_path, SMALL[: SMALL.index("[[loads]]")] + "[[loads]]\nconcurrency = [2]\n")
    texts = tmp_path / "mine.txt"
    texts.write_text("国足夺冠\n央行降息\n", encoding="utf-8")
    options = ("--texts", str(texts), "--url", server.url)
    assert quick(path, tmp_path / "run.json", *options).texts == "lines of mine.txt"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("ernie_seqcls", "nothing"), "has no 'nothing' ready"),
        (('"seq_cls"', '"qa"'), "takes the inputs text, but the scenario sends question, context"),
        (("[4]", "[4]\nbatch_size = [65]"), "takes requests of 64 rows; lower batch_size"),
    ],
)
def test_a_model_that_does_not_fit_is_one_line(
    server: EmbeddedServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: tuple[str, str],
    message: str,
) -> None:
    text = SMALL[: SMALL.index("[[loads]]\nof")].replace(*change)
    output = ("--output", str(tmp_path / "run.json"))
    assert main(["run", str(saved(tmp_path, text)), "--url", server.url, *output]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last


def test_an_answer_that_differs_under_load_fails_the_run_and_prints_the_text(
    repository: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "repository"
    for part in ("", "_tokenizer", "_engine", "_postprocess"):
        shutil.copytree(repository / f"ernie_seqcls{part}", broken / f"ernie_seqcls{part}")
    stage = broken / "ernie_seqcls_postprocess" / "1" / "model.py"
    stage.write_text(SWAPPING, encoding="utf-8")
    accept_build(broken, "ernie_seqcls")
    text = SMALL.replace("[4]", "[32]")
    with running(saved(tmp_path, text), broken, tmp_path, "--quick") as process:
        output, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1, errors
    assert output == ""
    last = errors.splitlines()[-1]
    assert last.startswith("error: an answer under load differs from the solo answer; text: '")
    assert "alone: Classification(" in last
    assert "under load: Classification(" in last
    assert not (tmp_path / "run.json").exists()


def test_ctrl_c_leaves_nothing_running_and_nothing_written(
    repository: Path, tmp_path: Path
) -> None:
    text = SMALL.replace("[4]", "[4, 8, 16]") + "[measuring]\nwindow_s = 20.0\n"
    with running(saved(tmp_path, text), repository, tmp_path) as process:
        children = started_children(process.pid)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert output == ""
    assert errors.splitlines()[-1] == "stopped; nothing was written"
    assert not any(psutil.pid_exists(pid) for pid in children)
    assert not (tmp_path / "run.json").exists()


class running:  # noqa: N801 - reads as a verb
    """The command in a process of its own, which serves a repository itself."""

    def __init__(self, scenario: Path, repository: Path, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "perf", "run", str(scenario), *options]
        command += ["--repository", str(repository), "--output", str(folder / "run.json")]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(os.environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def __enter__(self) -> "subprocess.Popen[str]":
        return self._process

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.communicate(timeout=TIMEOUT_S)


def started_children(pid: int) -> list[int]:
    """The server, its stages and perf_analyzer, once all of them run."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        children = psutil.Process(pid).children(recursive=True)
        with contextlib.suppress(psutil.NoSuchProcess):  # one that ended meanwhile
            names = [child.name() for child in children]
            if "perf_analyzer" in names and "tritonserver" in names:
                return [child.pid for child in children]
        time.sleep(0.1)
    raise AssertionError("perf_analyzer was not started in time")
