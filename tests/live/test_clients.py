"""The clients' own commands against the real server, as a user runs them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ernie_triton.server.embedded import EmbeddedServer
from tests.paths import ROOT

pytestmark = pytest.mark.live

CLIENT = "clients/seq_cls_grpc_client.py"


def run(*command: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """A command of the repository's root, with its exit code checked."""
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == code, done.stderr
    return done


def test_texts_are_answered_as_a_table(server: EmbeddedServer) -> None:
    done = run(CLIENT, "--url", server.url, "--text", "国足客场2:1逆转取胜", "--text", "")
    lines = done.stdout.splitlines()
    assert lines[2].split()[1] == "news_sports"
    assert len(lines) == 4


def test_top_k_gives_names_in_falling_order(server: EmbeddedServer) -> None:
    done = run(CLIENT, "--url", server.url, "--text", "央行降息", "--top-k", "3", "--json")
    labels = json.loads(done.stdout)["labels"]
    assert len({label["label"] for label in labels}) == 3
    scores = [label["score"] for label in labels]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("client", "model", "data", "figures"),
    [
        ("seq_cls", "ernie_seqcls", "tnews", {"accuracy": "dev_accuracy"}),
        ("seq_cls", "ernie_seqcls_pair", "afqmc", {"accuracy": "dev_accuracy"}),
        (
            "seq_cls",
            "ernie_sentiment",
            "reviews",
            {"accuracy": "dev_accuracy", "macro-F1": "dev_macro_f1"},
        ),
        (
            "seq_cls",
            "ernie_multilabel",
            "multi_label",
            {"micro-F1": "dev_micro_f1", "macro-F1": "dev_macro_f1"},
        ),
        (
            "seq_cls",
            "ernie_regression",
            "similarity",
            {"Pearson": "dev_pearson", "Spearman": "dev_spearman"},
        ),
        (
            "token_cls",
            "ernie_tokencls",
            "msra_ner",
            {"precision": "dev_precision", "recall": "dev_recall", "F1": "dev_f1"},
        ),
        (
            "extraction",
            "ernie_uie",
            "extraction",
            {"precision": "dev_precision", "recall": "dev_recall", "F1": "dev_f1"},
        ),
        ("choice", "ernie_choice", "choice", {"accuracy": "dev_accuracy"}),
        ("cloze", "ernie_cloze", "cloze", {"accuracy": "dev_accuracy"}),
        ("qa", "ernie_qa", "cmrc2018", {"exact match": "dev_exact_match", "F1": "dev_f1"}),
        ("embedding", "ernie_embedding", "sentence_pairs", {"Spearman": "dev_spearman"}),
        (
            "sparse",
            "ernie_sparse",
            "sentence_pairs",
            {"MRR@10": "sparse_mrr", "NDCG@10": "sparse_ndcg"},
        ),
        (
            "colbert",
            "ernie_colbert",
            "sentence_pairs",
            {"MRR@10": "colbert_mrr", "MAP": "colbert_map"},
        ),
        ("rerank", "ernie_rerank", "similarity", {"NDCG@10": "rerank_ndcg", "MAP": "rerank_map"}),
    ],
)
def test_evaluate_prints_the_metrics_that_the_checkpoint_has_in_its_own_framework(
    server: EmbeddedServer, client: str, model: str, data: str, figures: dict[str, str]
) -> None:
    script, dev = f"clients/{client}_grpc_client.py", f"samples/data/{data}/dev.json"
    if client in ("sparse", "colbert", "rerank"):
        dev = "samples/data/rankings.json"
    done = run(script, "--url", server.url, "--model", model, "--evaluate", dev)
    # Measured with transformers when the sample was trained; tests/samples measures it again.
    recorded = json.loads(
        (ROOT / "samples" / "checkpoints" / data / "training.json").read_text("utf-8")
    )
    for printed, name in figures.items():
        figure = re.search(rf"^{printed}\s+([\d.]+)", done.stdout, re.MULTILINE)
        assert figure is not None, done.stdout
        assert float(figure[1]) == pytest.approx(recorded[name], abs=1e-4), printed


def test_a_file_streams_in_order_and_a_bad_line_does_not_stop_the_rest(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    texts = [f"第{number}条新闻".encode() for number in range(500)]
    texts[123] = b"\xff\xfe"
    source, output = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_bytes(b"\n".join(texts) + b"\n")
    options = ("--file", str(source), "--output", str(output), "--concurrency", "8")
    done = run(CLIENT, "--url", server.url, *options, code=1)
    records = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [record["line"] for record in records] == list(range(1, 501))
    assert [record["line"] for record in records if "error" in record] == [124]
    assert "124" in done.stderr


def test_perf_analyzer_drives_the_ensemble_with_texts(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    report = tmp_path / "report.csv"
    options = ("--concurrency-range", "2", "--measurement-mode", "count_windows")
    more = ("--measurement-request-count", "50", "--stability-percentage", "999", "-f", str(report))
    texts = ("--url", server.url, "--file", "ernie_triton/build/check/texts.txt")
    run("-m", "perf", "analyze", *texts, "--", *options, *more)
    header, values = report.read_text(encoding="utf-8").splitlines()[:2]
    row = dict(zip(header.split(","), values.split(","), strict=False))
    assert row["Concurrency"] == "2"
    assert float(row["Inferences/Second"]) > 0
