"""perf_analyzer's input file, and the command's own refusals; the real run is in tests/live."""

import json
import sys
from pathlib import Path

import pytest

from ernie_triton.errors import AnalyzerError, MissingExtraError
from ernie_triton.perf.analyzer.program import analyzer_version, find_analyzer, input_data
from ernie_triton.perf.analyzer.texts import Columns
from tests.commands import command

main = command("perf")


def test_texts_become_one_request_each_with_every_input_of_shape_1() -> None:
    data = json.loads(input_data({"text": [("你好",), ("",)], "text_pair": [("a",), ('b"c',)]}))
    assert data == {
        "data": [
            {"text": ["你好"], "text_pair": ["a"]},
            {"text": [""], "text_pair": ['b"c']},
        ]
    }


def test_a_list_of_texts_says_its_shape() -> None:
    columns: Columns = {"query": [("问",)], "documents": [("甲", "乙", "丙")]}
    [entry] = json.loads(input_data(columns))["data"]
    assert entry == {"query": ["问"], "documents": {"content": ["甲", "乙", "丙"], "shape": [3]}}


def test_a_server_that_is_away_is_one_line_and_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "--url", "127.0.0.1:1", "--file", "texts.txt"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "127.0.0.1:1" in line


def test_an_option_with_a_typo_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["analyze", "--modle", "x", "--file", "texts.txt"])
    assert stopped.value.code == 2


def test_the_wheels_program_runs_and_tells_its_version() -> None:
    assert analyzer_version().startswith("2.51.0")


def test_without_the_wheels_program_the_paths_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match="perf_analyzer needs the package 'tritonclient'"):
        find_analyzer()
    folder = tmp_path / "sdk"
    folder.mkdir()
    program = folder / "perf_analyzer"
    program.write_text("#!/bin/sh\necho no such library >&2; exit 127\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    assert find_analyzer() == program
    with pytest.raises(AnalyzerError, match="does not run here: no such library"):
        analyzer_version()
