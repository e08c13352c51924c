"""perf_analyzer's input file, and the command's own refusals; the real run is in tests/live."""

import json

import pytest

from perf.analyzer import input_data
from perf.cli import main


def test_texts_become_one_request_each_with_every_input_of_shape_1() -> None:
    data = json.loads(input_data({"text": ["你好", ""], "text_pair": ["a", 'b"c']}))
    assert data == {
        "data": [
            {"text": ["你好"], "text_pair": ["a"]},
            {"text": [""], "text_pair": ['b"c']},
        ]
    }


def test_a_server_that_is_away_is_one_line_and_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "--url", "127.0.0.1:1", "--file", "texts.txt"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "127.0.0.1:1" in line


def test_an_option_with_a_typo_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["analyze", "--modle", "x", "--file", "texts.txt"])
    assert stopped.value.code == 2
