"""What keeps a server from starting is found before it is tried, each in one line."""

import importlib.metadata
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from ernie_triton.server.installation.findings import (
    full_disk,
    missing_programs,
    python_stages,
    small_shared_memory,
    taken_ports,
    wrong_numpy,
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An ensemble of two Python stages beside a third."""
    for name in ("news_tokenizer", "news_postprocess", "other"):
        folder = tmp_path / name / "1"
        folder.mkdir(parents=True)
        (folder / "model.py").touch()
        (tmp_path / name / "config.pbtxt").write_text('backend: "python"\n', encoding="utf-8")
    (tmp_path / "news").mkdir()
    steps = 'step { model_name: "news_tokenizer" } step { model_name: "news_postprocess" }\n'
    (tmp_path / "news" / "config.pbtxt").write_text(f'platform: "ensemble"\n{steps}', "utf-8")
    return tmp_path


def test_numpy_2_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wrong_numpy() == ""
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "2.1.0")
    assert wrong_numpy().startswith("numpy 2.1.0 is installed")
    assert "pip install 'numpy>=1.26,<2'" in wrong_numpy()


def test_a_taken_port_is_named_with_its_option() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {"--grpc-port": ("127.0.0.1", port), "--metrics-port": ("127.0.0.1", 0)}
        (line,) = taken_ports(ports)
    assert line.startswith(f"port {port} of 127.0.0.1 cannot be opened: another program has it")
    assert "--grpc-port" in line
    assert list(taken_ports(ports)) == []


def test_a_stage_without_its_program_is_named(repository: Path) -> None:
    assert list(missing_programs(python_stages(repository))) == []
    program = repository / "news_tokenizer" / "1" / "model.py"
    program.unlink()
    (line,) = missing_programs(python_stages(repository))
    assert line == f"{program} is missing; build the pipeline again"
    assert list(missing_programs(python_stages(repository, ["other"]))) == []
    shutil.rmtree(program.parent)
    (line,) = missing_programs(python_stages(repository, ["news"]))
    assert "has no version folder" in line


def test_too_little_room_is_told_with_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**19))
    assert full_disk(tmp_path) == (
        f"the disk of {tmp_path} is full; free some of it, or set TMPDIR to another folder"
    )
    assert "has 0 MiB free, but 3 stages need 6 MiB" in small_shared_memory(3, tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**30))
    assert full_disk(tmp_path) == small_shared_memory(3, tmp_path) == ""


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "cannot be used" in full_disk(tmp_path / "none")
    assert "cannot be used" in small_shared_memory(1, tmp_path / "none")
