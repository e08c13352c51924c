"""The command line, over a model in memory and against a real gRPC server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ernie_triton.client.wire import InferRequest
from ernie_triton.errors import ClientError, ServerUnavailableError
from tests.client.fakes import PAIR_FACTS, FakeModel, refuse_texts_with
from tests.commands import command

main = command("ask", "seq_cls")

ROOT = Path(__file__).parents[3]


@pytest.fixture
def model(serve: Callable[[FakeModel], FakeModel]) -> FakeModel:
    """A classifier in memory, at the far end of every transport that a command makes."""
    return serve(FakeModel())


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_texts_give_an_aligned_table(model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--text", "a好", "--text", "b" * 21, "--top-k", "2"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "line  label   score   cut  text",
        "----  ------  ------  ---  ---------------------",
        "1     a:体育  0.7500       a好",
        "      b:财经  0.1875",
        "2     b:财经  0.7500  yes  bbbbbbbbbbbbbbbbbbbbb",
        "      a:体育  0.1875",
    ]
    assert err == ""
    assert len(model.requests) == 1


def test_json_lines_hold_the_best_label_and_all_asked_for(
    model: FakeModel, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--text", "b", "--json"]) == 0
    best = {"label": "b:财经", "id": 1, "score": 0.75}
    assert records(capsys.readouterr().out) == [{"line": 1, **best, "truncated": False}]
    assert main(["--text", "b", "--json", "--top-k", "2"]) == 0
    second = {"label": "a:体育", "id": 0, "score": 0.1875}
    assert records(capsys.readouterr().out)[0]["labels"] == [best, second]
    assert len(model.requests) == 2


def test_pairs_come_from_options_text_and_json(
    model: FakeModel, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model.facts = PAIR_FACTS
    assert main(["--text", "a", "--text-pair", "x", "--text", "b", "--text-pair", "y"]) == 0
    text, jsonl = tmp_path / "pairs.txt", tmp_path / "pairs.jsonl"
    text.write_text("a\tx\nb\ty\n")
    jsonl.write_text('{"sentence1": "a", "sentence2": "x"}\n{"text": "b", "text_pair": "y"}\n')
    assert main(["--file", str(text)]) == 0
    assert main(["--file", str(jsonl)]) == 0
    for request in model.requests:
        assert request.columns == {"text": [b"a", b"b"], "text_pair": [b"x", b"y"]}
    assert capsys.readouterr().out.count("b:财经") == 3


def test_a_failing_line_is_reported_and_stops_no_other(
    model: FakeModel, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model.fault = refuse_texts_with("!")
    source, target = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_bytes(b"a\n\nb!\nc\xff\nc\n")
    options = ["--file", str(source), "--output", str(target), "--request-id", "job-7"]
    assert main(options) == 1
    out, err = capsys.readouterr()
    assert out == f"{target}\n"
    assert "line 3: the server refused: ! (request job-7)\n" in err
    assert "line 4: the line is not UTF-8 (byte 0xff at offset 1)" in err
    assert "5 lines in" in err
    assert "2 failed" in err
    found = records(target.read_text())
    assert [record["line"] for record in found] == [1, 2, 3, 4, 5]
    assert ["error" in record for record in found] == [False, False, True, True, False]
    assert [record.get("id") for record in found] == [0, 0, None, None, 2]


def test_requests_are_no_larger_than_the_model_or_the_option_says(
    model: FakeModel, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    source = tmp_path / "in.txt"
    source.write_text("a\n" * 10)
    assert main(["--file", str(source), "--json"]) == 0
    assert sorted(len(request.columns["text"]) for request in model.requests) == [2, 4, 4]
    model.requests.clear()
    assert main(["--file", str(source), "--json", "--batch-size", "3"]) == 0
    assert sorted(len(request.columns["text"]) for request in model.requests) == [1, 3, 3, 3]
    assert len(capsys.readouterr().out.splitlines()) == 20


def test_a_server_that_goes_away_stops_the_run_with_one_line(
    model: FakeModel, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def gone_after_two(_: InferRequest) -> ClientError | None:
        return ServerUnavailableError("no server") if len(model.requests) > 2 else None

    model.fault = gone_after_two
    source, target = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text("a\n" * 100)
    arguments = ["--file", str(source), "--output", str(target), "--concurrency", "1"]
    assert main([*arguments, "--timeout", "1"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "error: no server"
    assert "the 8 lines before that are in" in err
    assert not target.exists()


def test_labelled_lines_are_scored(
    model: FakeModel, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    golds = (("a", "a:体育"), ("a", "a:体育"), ("b", "a:体育"), ("c", "c:娱乐"))
    lines = [{"sentence": text, "label": "1", "label_desc": gold} for text, gold in golds]
    source = tmp_path / "dev.json"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    # a: precision 2/2, recall 2/3, F1 0.8; b: 0; c: 1. Mean 0.6.
    assert main(["--evaluate", str(source)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:3] == ["lines     4", "accuracy  0.7500", "macro-F1  0.6000"]
    assert main(["--evaluate", str(source), "--json"]) == 0
    [scores] = records(capsys.readouterr().out)
    assert (scores["lines"], scores["accuracy"]) == (4, 0.75)
    assert len(model.requests) == 4


def test_a_gold_label_unknown_to_the_model_ends_the_evaluation(
    model: FakeModel, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    source = tmp_path / "dev.json"
    source.write_text('{"sentence": "a", "label": "102", "label_desc": "news_x"}\n')
    assert main(["--evaluate", str(source)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: line 1: the gold label news_x / 102 is none of the model's 3")
    assert len(model.requests) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--txt", "a"], "unrecognized arguments: --txt"),
        (["--tex", "a"], "unrecognized arguments: --tex"),
        ([], "give one of --text, --file and --evaluate"),
        (["--text", "a", "--file", "x"], "give one of"),
        (["--text", "a", "--text-pair", "x", "--text-pair", "y"], "1 --text, 2 --text-pair"),
        (["--text-pair", "x"], "--text is missing"),
        (["--text", "a", "--top-k", "0"], "0 is not at least 1"),
        (["--text", "a", "--timeout", "0"], "not a number of seconds above 0"),
        (["--text", "a", "--timeout", "nan"], "not a number of seconds above 0"),
        (["--text", "a", "--batch-size", "x"], "invalid positive_int value: 'x'"),
        (["--text", "a", "--format", "txt"], "--format is for --file"),
    ],
)
def test_wrong_usage_exits_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def run_script(
    *start: str, lines: bytes = b"", folder: Path = ROOT
) -> subprocess.CompletedProcess[bytes]:
    command_line = [sys.executable, *start]
    return subprocess.run(command_line, input=lines, cwd=folder, capture_output=True, timeout=60)


def test_the_script_runs_from_any_folder(grpc_url: str, tmp_path: Path) -> None:
    lines = "好\n\nrefuse\nlonger text\n".encode()
    script = str(ROOT / "clients/seq_cls_grpc_client.py")
    options = ("--url", grpc_url, "--file", "-", "--json")
    done = run_script(script, *options, lines=lines, folder=tmp_path)
    assert done.returncode == 1, done.stderr.decode()
    found = records(done.stdout.decode())
    assert [record.get("label") for record in found] == ["positive", "positive", None, "positive"]
    assert "line 3:" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


@pytest.mark.parametrize("task", ["seq_cls", "token_cls", "qa", "embedding"])
def test_the_scripts_run_by_path_and_as_modules(task: str) -> None:
    for start in ([f"clients/{task}_grpc_client.py"], ["-m", f"clients.{task}_grpc_client"]):
        done = run_script(*start, "--help")
        assert done.stdout.startswith(f"usage: ernie-triton ask {task} ".encode())
        assert done.returncode == 0


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--model", "nope"], "has no 'nope' ready"),
        (["--url", "127.0.0.1:1", "--retries", "0"], "no Triton server answers at 127.0.0.1:1"),
        (["--ca-file", "/none/ca.pem"], "the CA file /none/ca.pem cannot be read"),
        (["--text-pair", "x"], "takes 1 text(s) a row (text), but a row has 2"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_exit_code_1(
    extra: list[str], said: str, grpc_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--url", grpc_url, "--text", "a", *extra]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert said in err


def test_a_late_answer_is_reported_with_its_line(
    grpc_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--url", grpc_url, "--text", "slow", "--timeout", "0.2", "--json"]) == 1
    out, err = capsys.readouterr()
    assert "within 0.2 s" in str(records(out)[0]["error"])
    assert err.startswith("line 1: no answer")


def test_no_event_loop_is_left_behind(model: FakeModel) -> None:
    assert main(["--text", "a", "--json"]) == 0
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
    assert len(model.requests) == 1
