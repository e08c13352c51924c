"""Engines that were built on another processor answer the same here, or are not served."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ernie_triton.cli import main
from ernie_triton.engines import load_engine
from ernie_triton.engines.proof import PROOF_FILE, Proof, read_proof
from ernie_triton.errors import EngineError, ExactnessError
from ernie_triton.processor import instruction_sets
from ernie_triton.server.builds.manifest_file import MANIFEST_FILE, sealed_json
from ernie_triton.server.check_processor import chosen_elsewhere
from ernie_triton.tasks import TASKS
from tests.engines.tiny_model import (
    engine_settings,
    random_batch,
    random_model,
    write_tiny_engine,
)

ELSEWHERE = ("avx2", "avx512_vnni", "of another processor")
ROWS = random_batch((3, 17, 40))


def proved(folder: Path, task: str = "seq_cls", instructions: tuple[str, ...] = ELSEWHERE) -> Proof:
    """An engine in a folder, and its proof on a processor with these instruction sets."""
    folder.mkdir(parents=True)
    settings = engine_settings(task=task)
    write_tiny_engine(random_model(task=task), settings, folder)
    proof = Proof(
        instructions=instructions,
        settings=settings,
        rows=ROWS,
        outputs=load_engine(folder, settings).run(ROWS),
        limit=1e-4,
    )
    proof.write(folder)
    return proof


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Pipelines whose engines come from another processor: one answers the same here."""
    proved(tmp_path / "news_engine/1")
    return tmp_path


def spoil(repository: Path, value: object = 1e9) -> None:
    """Let the proof expect something else."""
    path = repository / "news_engine/1" / PROOF_FILE
    content = json.loads(path.read_text(encoding="utf-8"))
    content["outputs"]["logits"][1][0] = value
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("task", sorted({task.head: task.name for task in TASKS.values()}.values()))
def test_a_proof_is_read_as_written_and_holds_where_it_was_made(tmp_path: Path, task: str) -> None:
    folder = tmp_path / "engine"
    made = proved(folder, task)
    found = read_proof(folder)
    assert found is not None
    assert (found.instructions, found.settings, found.limit) == (ELSEWHERE, made.settings, 1e-4)
    np.testing.assert_array_equal(found.rows.input_ids, ROWS.input_ids)
    assert found.repeat(folder) <= 1e-5


@pytest.mark.parametrize("value", [2e-4, np.nan, np.inf])
def test_another_answer_is_told_with_its_size(tmp_path: Path, value: float) -> None:
    folder = tmp_path / "engine"
    made = proved(folder)
    outputs = {name: values + np.float32(value) for name, values in made.outputs.items()}
    with pytest.raises(ExactnessError, match=r"differs by (2\.00e-04|inf) from its answers"):
        dataclasses.replace(made, outputs=outputs).repeat(folder)


def test_a_damaged_proof_is_named(tmp_path: Path) -> None:
    assert read_proof(tmp_path) is None
    (tmp_path / PROOF_FILE).write_text('{"instructions": []}', encoding="utf-8")
    with pytest.raises(EngineError, match=r"proof\.json is damaged; build the pipeline again"):
        read_proof(tmp_path)


def serve(repository: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A start of the embedded server, for a repository that has an engine alone."""
    command = [sys.executable, "-m", "ernie_triton", "serve", "--repository", str(repository)]
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=300)


def supervise(repository: Path, choice: str = "") -> subprocess.CompletedProcess[str]:
    """A start of a container with a command in place of tritonserver."""
    command = [sys.executable, "-m", "ernie_triton", "supervise", "echo", "started"]
    return subprocess.run(
        [*command, f"--model-repository={repository}"],
        env={"OTHER_PROCESSOR": choice, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def error_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an error; no build of ours made these models, which a server says too."""
    (line,) = (line for line in done.stderr.splitlines() if not line.startswith("unverified: "))
    return line


def test_an_engine_that_answers_the_same_here_is_served_with_a_line(repository: Path) -> None:
    done = supervise(repository)
    told, started = done.stdout.splitlines()
    assert told.startswith(
        "news: openvino fp32, built on a processor with avx2, avx512_vnni, of another processor: "
        "on this one ("
    )
    assert "3 texts differ by" in told
    assert started.startswith("started")


def test_an_engine_that_answers_otherwise_here_is_one_line_and_is_not_served(
    repository: Path,
) -> None:
    spoil(repository)
    for done in (supervise(repository), serve(repository)):
        assert (done.returncode, done.stdout) == (1, "")
        line = error_line(done)
        assert line.startswith("error: news: the openvino fp32 engine in ")
        assert "avx512_vnni" in line
        assert line.endswith("build it here")


def test_engines_of_other_processors_can_be_refused_unseen(repository: Path) -> None:
    for done in (
        supervise(repository, "refuse"),
        serve(repository, "--other-processor", "refuse"),
    ):
        assert (done.returncode, done.stdout) == (1, "")
        line = error_line(done)
        assert line.startswith("error: news was built on a processor with avx2, avx512_vnni, of")
        assert "this one has" in line


def test_an_engine_of_this_processor_and_one_without_a_proof_start_at_once(
    tmp_path: Path,
) -> None:
    proved(tmp_path / "news_engine/1", instructions=instruction_sets())
    spoil(tmp_path)  # the server does not look at it
    (tmp_path / "others/1").mkdir(parents=True)
    for choice in ("check", "refuse"):
        assert supervise(tmp_path, choice).stdout.startswith("started")
    assert "expected check or refuse" in supervise(tmp_path, "ignore").stderr


def test_an_engine_that_was_chosen_by_speed_elsewhere_is_told_with_a_line(tmp_path: Path) -> None:
    for name, instructions, choice in (
        ("news", [*ELSEWHERE], {"speeds": {}}),
        ("here", [*instruction_sets()], {"speeds": {}}),
        ("named", [*ELSEWHERE], None),
    ):
        engine = {"engine": "openvino", "instructions": instructions}
        path = tmp_path / name / "1" / MANIFEST_FILE
        path.parent.mkdir(parents=True)
        path.write_text(sealed_json({"name": name, "engine": engine, "choice": choice}))
    (line,) = chosen_elsewhere(tmp_path)
    assert line.startswith("news: openvino was the fastest engine on a processor with avx2, ")
    assert line.endswith("build it here to choose again")
    assert chosen_elsewhere(tmp_path, ("here",)) == []


def test_the_command_checks_the_newest_version_wherever_it_was_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(*options: str) -> int:
        return main(["check-processor", "--repository", str(tmp_path), *options])

    assert check() == 0
    assert "nothing to check" in capsys.readouterr().out
    proved(tmp_path / "news_engine/1")
    spoil(tmp_path)
    proved(tmp_path / "pairs/3", instructions=instruction_sets())
    assert check() == 1
    assert check("--model", "pairs") == 0
    proved(tmp_path / "news_engine/10")
    capsys.readouterr()
    assert check() == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "news",
        "pairs",
    ]
