"""Every command of every guide runs, in the guide's order, against a real server."""

import contextlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

import samples.cli
from ernie_triton.cli import main as ernie_triton
from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.server.embedded import EmbeddedServer
from samples.demo import QUESTIONS
from tests.docs.guides import GUIDES, POINTERS
from tests.paths import ROOT
from tests.samples.real_package import write_base_package, write_package

ELSEWHERE: Mapping[str, str] = {
    r"make (demo|test)": "run by the whole check of the project",
    r"make audit": "asks pypi.org; tests/docs/test_dependencies checks the list by hand",
    r"ernie-triton serve --repository model_repository": "tests/live/test_serve",
    r"ernie-triton serve .* --log-format json .*": "tests/live/test_watching",
    r"ernie-triton (engine|check-plans) .*": "want a GPU; a test below runs them without one",
    r"ernie-triton benchmark .*": "minutes; tests/perf has a small one",
    r"ernie-triton perf (goals|gpu|scaling|tune) .*": "minutes even when quick; see tests/perf",
    r"python -m pip install -e .*": "would write into the clone; it is what `make` does",
    r"ernie-triton perf gateway-(cost|memory --process PID)": "tests/live/test_gateway",
    r"ernie-triton gateway --url localhost:8001": "tests/docs/test_snippets",
    r"ernie-triton perf rerank .*": "wants sentence-transformers; see tests/perf/others",
    r"ernie-triton perf extraction .*": "wants PaddleNLP; see tests/perf/others",
    r"ernie-triton perf peers .*": "wants FastAPI and others; see tests/perf/peers",
    r"(python -m venv|build/peers/bin/python -m pip) .*": "the environment for that",
    r"(git clone|cd) .*": "a clone is here already",
    r"([A-Z_]+=\S+ )*docker compose .*": "wants Docker; tests/containers holds it to the files",
    r"ernie-triton batch .*": "wants Ray; see tests/bulk",
    r"(curl|grpcurl|javac|java|go) .*": "tests/docs/test_snippets",
}
"""Commands, as patterns, that this module does not run, with the reason."""

_ONE_EPOCH = ("--epochs", "1")
_ANY_LOSS = ("--allowed-loss", "100", "--qat", "never")
_SMALL: Mapping[str, tuple[str, ...]] = {
    "samples generate": ("--train", "160", "--dev", "48"),
    "samples base": ("--layers", "2", "--hidden", "32", "--heads", "4"),
    "finetune seq_cls": _ONE_EPOCH,
    "finetune extraction": ("--max-steps", "2", "--max-seq-length", "64"),
    "prune": _ONE_EPOCH,
    "distil": _ONE_EPOCH,
    "quantize": _ANY_LOSS,
    "compress": (*_ONE_EPOCH, *_ANY_LOSS, "--only", "int8,report", "--quick"),
    "random": ("--layers", "1", "--hidden", "48"),
    "perf run": ("--quick",),
    "perf compare": ("--seconds", "0.5", "--rounds", "1"),
    "perf floor": ("--seconds", "0.5", "--rounds", "1"),
    "perf limit": ("--rounds", "1", "--tokens", "64", "--precision", "fp32"),
    "perf tokenizer": ("--rounds", "1"),
}
"""What makes a command quick; the last value of an option counts."""

_LINKED = ("build_scripts", "clients", "docker", "ernie_triton", "perf", "samples", "tests")
_FREE_PORTS = ("--grpc-port", "0", "--metrics-port", "0")


SAMPLES = "".join(text for _, text in POINTERS["samples/README.md"].blocks).splitlines()
"""The samples' commands; comments stand behind some."""


def runs_elsewhere(command: str) -> bool:
    return any(re.fullmatch(pattern, command) for pattern in ELSEWHERE)


@pytest.fixture
def _clone(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder like a clone after `make demo`, where commands may write."""
    for name in _LINKED:
        (tmp_path / name).symlink_to(ROOT / name)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / file, tmp_path / file)
    # Copied: a pipeline names its repository from its own folder.
    shutil.copytree(ROOT / "pipelines", tmp_path / "pipelines")
    (tmp_path / "build").mkdir()
    (tmp_path / "model_repository").mkdir()
    for model in repository.iterdir():
        (tmp_path / "model_repository" / model.name).symlink_to(model)
    monkeypatch.chdir(tmp_path)


@contextlib.contextmanager
def serving(words: list[str]) -> Iterator[str]:
    """`ernie-triton serve` on free ports: the address of gRPC."""
    command = [sys.executable, "-m", "ernie_triton", *words[1:], *_FREE_PORTS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stdout is not None
            yield re.findall(r"gRPC (\S+),", process.stdout.readline())[0]
        finally:
            process.send_signal(signal.SIGINT)


def run_here(words: list[str]) -> None:
    """Run one of our commands in this process, which has imported PyTorch already."""
    module = words[2] if words[:2] == ["python", "-m"] else ""
    given = words[3:] if module else words[1:]
    place = " ".join([*([module] if module else []), *given])
    more = [
        option
        for key, options in _SMALL.items()
        if f"{place} ".startswith(f"{key} ")
        for option in options
    ]
    program = samples.cli.main if module == "samples" else ernie_triton
    assert program([*given, *more]) == 0


def run_outside(words: list[str]) -> None:
    """Run a script, or pip, with this Python."""
    more: list[str] = []
    if words[1:4] == ["-m", "pip", "install"]:
        more = ["--no-deps", "--target", "build/installed"]
    if words[1:3] == ["-m", "pip"] and find_spec("pip") is None:
        print("no pip in this environment")
        return
    assert subprocess.run([sys.executable, *words[1:], *more], check=False).returncode == 0


@pytest.mark.live
@pytest.mark.usefixtures("_clone")
@pytest.mark.parametrize("name", [name for name, guide in GUIDES.items() if guide.commands])
def test_the_commands_of_a_guide_run_in_their_order(
    name: str,
    server: EmbeddedServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    write_package(Path("build/real"), monkeypatch)
    url = server.url
    with contextlib.ExitStack() as servers:
        for command in GUIDES[name].commands:
            if runs_elsewhere(command):
                continue
            print(f"$ {command}", file=sys.stderr)
            words = shlex.split(command)
            if words[1] == "serve":
                url = servers.enter_context(serving(words))
                continue
            if words[1] == "ask" or words[1].startswith("clients/"):
                words += ["--url", url]
            words = [word.replace("localhost:8001", url) for word in words]
            words = [word.replace("layers=3", "layers=1") for word in words]  # of two in all
            is_script = words[0] == "python" and words[2] != "samples"
            (run_outside if is_script else run_here)(words)
            assert capfd.readouterr().out, command


@pytest.mark.live
def test_the_answers_shown_are_those_of_the_demo(
    server: EmbeddedServer, capfd: pytest.CaptureFixture[str]
) -> None:
    [block] = [text for _, text in GUIDES["README.md"].blocks if text.startswith("$ ")]
    for example in block.rstrip().split("\n\n"):
        command, shown = example.split("\n", 1)
        model = command.rpartition(" ")[2]
        assert command == f"$ ernie-triton ask {QUESTIONS[model]} --model {model}"
        run_here([*shlex.split(command)[1:], "--url", server.url])
        # Scores differ in their last places between processors.
        printed, expected = (
            re.sub(r"0\.\d+", "0.", text.rstrip()) for text in (capfd.readouterr().out, shown)
        )
        assert printed == expected


@pytest.mark.live
@pytest.mark.parametrize(("model", "column"), [("ernie_seqcls", 2), ("ernie_sentiment", 3)])
def test_the_labels_shown_of_twenty_sentences_are_those_of_the_server(
    server: EmbeddedServer, model: str, column: int
) -> None:
    section = POINTERS["samples/README.md"].prose.partition("## Twenty sentences\n")[2]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("|")][2:]
    shown = [re.findall(r"(\w+) (\d\.\d\d)", row[column]) for row in rows]
    texts = (ROOT / "samples/data/sentences.txt").read_text(encoding="utf-8").splitlines()
    with SeqClsClient(server.url, model) as client:
        answers = client.classify(texts)
    for answer, [[name, score]] in zip(answers, shown, strict=True):
        assert answer.best.name.removeprefix("news_") == name
        assert answer.best.score == pytest.approx(float(score), abs=6e-3)


@pytest.mark.parametrize("command", [line for line in SAMPLES if " train " not in line])
def test_a_command_of_the_samples_runs(
    command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but `train`, which takes minutes; tests/samples trains smaller models."""
    if " real " in command:
        write_package(tmp_path / "made", monkeypatch)
        write_base_package(tmp_path / "made", monkeypatch)
    monkeypatch.chdir(ROOT)
    words = shlex.split(command.replace("DIR", "samples/checkpoints/tnews"), comments=True)
    run_here([*words, "--output", str(tmp_path / "made")] if "--output" in words else words)
    assert capfd.readouterr().out


def test_every_reason_not_to_run_a_command_is_needed() -> None:
    commands = [command for guide in GUIDES.values() for command in guide.commands]
    for pattern in ELSEWHERE:
        assert any(re.fullmatch(pattern, command) for command in commands), pattern


def test_the_whole_check_runs_what_make_does() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert {"make demo", "make test"} <= set(ci) & set(GUIDES["README.md"].commands)


@pytest.mark.parametrize("command", ["engine", "check-plans"])
def test_a_command_for_a_gpu_says_in_one_line_what_is_missing(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = str(tmp_path / "model_repository")
    pipeline = ["build", str(ROOT / "pipelines" / "tnews.toml"), "--repository", repository]
    engine = ["--engine", "tensorrt", "--no-plan", "--precision", "fp16"]
    assert ernie_triton([*pipeline, *engine]) == 0
    capsys.readouterr()
    line = f"ernie-triton {command} --repository model_repository"
    assert line in GUIDES["docs/engines.md"].commands
    assert ernie_triton([command, "--repository", repository]) == 1
    said = capsys.readouterr()
    assert len([part for part in (said.out + said.err).splitlines() if "error" in part]) == 1
