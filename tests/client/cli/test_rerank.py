"""Rankings on the command line, over a model in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.fakes import FakeModel
from tests.client.task_fakes import rank_model
from tests.commands import command

main = command("ask", "rerank")


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_one_query_has_a_table_of_its_documents(
    serve: Callable[[FakeModel], FakeModel], capsys: pytest.CaptureFixture[str]
) -> None:
    serve(rank_model())
    asked = ["--query", "ab", "--document", "c", "--document", "aab" + "x" * 20]
    assert main(asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["line", "rank", "score", "cut", "index", "document", "query"]
    assert lines[2].split() == ["1", "1", "1.5000", "yes", "1", "aab" + "x" * 20, "ab"]
    assert lines[3].split() == ["2", "0.0000", "0", "c"]
    assert main([*asked, "--top-n", "1", "--json", "--no-return-documents"]) == 0
    best = {"index": 1, "score": 1.5, "truncated": True}
    assert records(capsys.readouterr().out) == [{"line": 1, "results": [best]}]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "in.jsonl",
            ['{"query": "ab", "documents": ["c", "a"]}', '{"query": "b", "documents": 3}'],
        ),
        ("in.txt", ["ab\tc\ta", "only a query"]),
    ],
)
def test_a_file_has_a_query_and_its_documents_in_each_line(
    serve: Callable[[FakeModel], FakeModel],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    lines: list[str],
) -> None:
    serve(rank_model())
    source = tmp_path / name
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(["--file", str(source), "--json"]) == 1
    first, second = records(capsys.readouterr().out)
    assert first["results"] == [
        {"index": 1, "score": 0.5, "truncated": False, "document": "a"},
        {"index": 0, "score": 0.0, "truncated": False, "document": "c"},
    ]
    assert set(second) == {"line", "error"}


def test_evaluation_prints_mrr_ndcg_and_map(
    serve: Callable[[FakeModel], FakeModel], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    serve(rank_model())
    source = tmp_path / "dev.jsonl"
    # The first fitting document is at place 1 of the one query, and at 2 of the other.
    lines = [
        {"query": "ab", "positives": ["ab"], "negatives": ["a", "c"]},
        {"query": "ab", "pos": ["a"], "neg": ["ab"]},
    ]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["--evaluate", str(source)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "queries  2",
        "MRR@10   0.7500",
        "NDCG@10  0.8155",  # (1 + 1 / log2(3)) / 2
        "MAP      0.7500",
    ]
    assert main(["--evaluate", str(source), "--json", "--at", "1"]) == 0
    assert records(capsys.readouterr().out)[0] == {
        "queries": 2, "at": 1, "mrr": 0.5, "ndcg": 0.5, "map": 0.75
    }  # fmt: skip
    with pytest.raises(SystemExit, match="2"):
        main(["--evaluate", str(source), "--top-n", "1"])
    assert "leave --top-n out, or use --at" in capsys.readouterr().err


def test_one_query_at_a_time_comes_from_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for asked, message in (
        (["--query", "a", "--query", "b", "--document", "c"], "found 2 --query; give one"),
        (["--query", "a"], "--document is missing"),
    ):
        with pytest.raises(SystemExit, match="2"):
            main(asked)
        assert message in capsys.readouterr().err
