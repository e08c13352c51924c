"""The vector command, over a model in memory and against a real gRPC server."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.client.fakes import FakeModel, refuse_texts_with
from tests.client.task_fakes import vector_model
from tests.commands import command

main = command("ask", "embedding")


@pytest.fixture
def model(serve: Callable[[FakeModel], FakeModel]) -> FakeModel:
    """A model of vectors in memory, at the far end of every transport that a command makes."""
    return serve(vector_model())


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.usefixtures("model")
def test_texts_give_json_lines_with_their_vectors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--text", "3 4", "--text", "1 0 and more"]) == 0
    assert records(capsys.readouterr().out) == [
        {"line": 1, "embedding": [3.0, 4.0], "truncated": False},
        {"line": 2, "embedding": [1.0, 0.0], "truncated": True},
    ]


def test_a_file_gives_one_array_in_its_order_with_nan_for_a_failed_line(
    model: FakeModel, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model.fault = refuse_texts_with("!")
    source, target = tmp_path / "in.txt", tmp_path / "vectors.npy"
    source.write_text("".join(f"{n} {'!' if n == 5 else 1}\n" for n in range(100)))
    arguments = ["--file", str(source), "--output", str(target), "--batch-size", "3"]
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == f"{target}\n"
    assert "line 6: the server refused: !" in err
    vectors = np.load(target)
    assert (vectors.shape, vectors.dtype) == ((100, 2), np.float32)
    assert np.isnan(vectors).any(axis=1).nonzero()[0].tolist() == [5]
    kept = [n for n in range(100) if n != 5]
    np.testing.assert_array_equal(vectors[kept], [[n, 1] for n in kept])


@pytest.mark.usefixtures("model")
def test_another_output_gets_json_lines(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "vectors.jsonl"
    assert main(["--text", "3 4", "--output", str(target)]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    assert records(target.read_text())[0]["embedding"] == [3.0, 4.0]


def test_pairs_give_cosines(model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = ["--text", "3 4", "--text-pair", "4 3", "--text", "1 0", "--text-pair", "0 1 cut"]
    assert main(pairs) == 0
    assert capsys.readouterr().out.splitlines() == [
        "line  cosine  cut  text  text_pair",
        "----  ------  ---  ----  ---------",
        "1     0.9600       3 4   4 3",
        "2     0.0000  yes  1 0   0 1 cut",
    ]
    assert model.requests[0].columns == {"text": [b"3 4", b"4 3", b"1 0", b"0 1 cut"]}


def test_pairs_of_a_file_are_isolated_and_no_more_than_the_model_takes(
    model: FakeModel, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model.fault = refuse_texts_with("!")
    text, jsonl = tmp_path / "pairs.txt", tmp_path / "pairs.jsonl"
    text.write_text("3 4\t4 3\n1 0\t!\n1 0\t1 0\n1 0\n")
    jsonl.write_text(
        '{"sentence1": "3 4", "sentence2": "4 3"}\n{"text": "!", "text_pair": "1 0"}\n'
        '{"text": "1 0", "text_pair": "1 0"}\n{"text": "1 0"}\n'
    )
    for path in (text, jsonl):
        assert main(["--file", str(path), "--pairs", "--json"]) == 1
        out, err = capsys.readouterr()
        found = [record.get("cosine") for record in records(out)]
        assert found == [pytest.approx(0.96), None, 1.0, None]
        assert "line 2: the server refused: !" in err
    assert max(len(request.columns["text"]) for request in model.requests) == 4


@pytest.mark.usefixtures("model")
def test_a_file_of_pairs_is_not_taken_for_single_texts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"sentence1": "3 4", "sentence2": "4 3"}\n')
    assert main(["--file", str(path)]) == 1
    assert "found sentence2; add --pairs to compare the two" in capsys.readouterr().err


@pytest.mark.usefixtures("model")
def test_labelled_pairs_are_scored(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    pairs = (("1 0", "1"), ("1 1", "1"), ("1 2", "0"), ("0 1", "0"))
    lines = [{"sentence1": "1 0", "sentence2": text, "label": gold} for text, gold in pairs]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    # Ranks 4 3 2 1 against 3.5 3.5 1.5 1.5: 2 / sqrt(5) = 0.8944. Between cos 1/√5 and 1/√2.
    assert main(["--evaluate", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "lines     4",
        "Spearman  0.8944",
        "accuracy  1.0000 with the best threshold, 0.5772, chosen on this file",
    ]
    assert main(["--evaluate", str(path), "--json"]) == 0
    [scores] = records(capsys.readouterr().out)
    assert scores["best_accuracy"] == 1.0


@pytest.mark.usefixtures("model")
def test_a_pair_without_a_number_ends_the_evaluation(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "dev.json"
    for record, said in (("{}", "no label or score"), ('{"label": "x"}', "label is 'x'")):
        line = {"sentence1": "1 0", "sentence2": "1 0", **json.loads(record)}
        path.write_text(json.dumps(line))
        assert main(["--evaluate", str(path)]) == 1
        assert capsys.readouterr().err.startswith(f"error: line 1: {said}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--text", "a", "--pairs"], "--pairs is for --file"),
        (
            ["--text", "a", "--text-pair", "b", "--output", "x.npy"],
            "a .npy file is for vectors",
        ),
        (["--evaluate", "x", "--output", "x.npy"], "a .npy file is for vectors"),
        (["--text-pair", "b"], "--text is missing"),
    ],
)
def test_wrong_usage_exits_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_the_command_reaches_a_real_server(
    grpc_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = tmp_path / "vectors.npy"
    assert main(["--url", grpc_url, "--text", "bb", "--output", str(target)]) == 0
    assert np.load(target).tolist() == [[0.0, 2.0, 0.0]]
    assert capsys.readouterr().out == f"{target}\n"


def test_vectors_are_written_with_a_prompt_shorter_and_as_bytes(
    serve: Callable[[FakeModel], FakeModel], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model = vector_model()
    model.facts = dataclasses.replace(model.facts, prompts={"query": "3 "})
    model.fault = refuse_texts_with("!")
    serve(model)
    source, target = tmp_path / "in.txt", tmp_path / "vectors.npy"
    source.write_text("4\n!\n0\n")
    ranges = tmp_path / "ranges.npy"
    np.save(ranges, np.array([[0], [0.5]], np.float32))
    asked = ["--file", str(source), "--output", str(target), "--prompt-name", "query"]
    bytes_of = ["--dimensions", "1", "--precision", "int8", "--ranges", str(ranges)]
    assert main([*asked, *bytes_of]) == 1
    capsys.readouterr()
    found = np.load(target)
    # The prompt's 3 is the first number; a failed line is a row of zeros.
    assert (found.tolist(), found.dtype) == ([[127], [0], [127]], np.int8)
    assert main(["--text", "4", "--prompt-name", "query", "--precision", "ubinary"]) == 0
    assert records(capsys.readouterr().out)[0]["embedding"] == [0b11000000]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--precision", "int8"], "--precision int8 needs --ranges"),
        (["--dimensions", "1", "--text-pair", "1 0"], "are for vectors"),
        (["--ranges", "nowhere.npy"], "nowhere.npy is no .npy file of numbers"),
    ],
)
def test_forms_of_vectors_that_cannot_be_are_wrong_usage(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--text", "1 0", *options])
    assert message in capsys.readouterr().err
