"""The comparison asks in turn, and its ratios are those of each round."""

import sys
from pathlib import Path

import pytest

from ernie_triton.errors import AnalyzerError
from ernie_triton.perf.others.reranking import RerankLoad, cross_encoder
from ernie_triton.perf.others.table import RoundAnswers, comparison_lines

WORKER = """
import json, sys
print("a library's own words")
print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    scores = {str(place): len(text) / 10 for place, text in enumerate(asked["documents"])}
    print(json.dumps({"seconds": 0.5, "scores": scores}), flush=True)
"""


def test_documents_have_the_lengths_asked_for_and_are_the_same_every_time() -> None:
    load = RerankLoad(documents=5, characters=20, spread=3)
    query, documents = load.texts()
    assert load.texts() == (query, documents)
    assert all(17 <= len(text) <= 23 for text in documents)
    assert len(set(documents)) == 5


def test_a_worker_answers_until_it_is_let_go(tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    with cross_encoder([sys.executable, str(script)]) as rank:
        assert rank("问", ["甲", "乙乙"]) == RoundAnswers(seconds=0.5, scores={0: 0.1, 1: 0.2})
        assert rank("问", ["甲甲甲"]).scores == {0: 0.3}


def test_a_worker_that_ends_says_what_to_install() -> None:
    with (
        pytest.raises(AnalyzerError, match="ended without an answer; run it by hand"),
        cross_encoder([sys.executable, "-c", "pass"]),
    ):
        pass


def test_ratios_are_taken_in_each_round() -> None:
    times = [(1.0, 3.0), (4.0, 4.0), (2.0, 4.0)]
    rounds = [
        {
            "ernie-triton": RoundAnswers(seconds=ours, scores={0: 0.5, 1: 0.25}),
            "CrossEncoder onnx": RoundAnswers(seconds=theirs, scores={0: 0.5, 1: 0.5}),
        }
        for ours, theirs in times
    ]
    ours, other = comparison_lines(rounds, "ranker", "documents", 2)[2:]
    assert "2000 ms" in ours
    assert "1.00 (1.00 to 1.00)" in ours
    assert "4000 ms" in other
    assert "0.5 " in other  # documents a second
    assert "2.00 (1.00 to 3.00)" in other
    assert other.rstrip().endswith("2.5e-01")


def test_what_only_one_has_answered_counts_whole() -> None:
    found = {
        "ernie-triton": RoundAnswers(seconds=1.0, scores={0: 0.5}),
        "other": RoundAnswers(seconds=1.0, scores={1: 0.75}),
    }
    assert comparison_lines([found], "ranker", "documents", 1)[3].rstrip().endswith("7.5e-01")
