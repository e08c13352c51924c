"""The baseline loads in the embedded server beside a pipeline of ours, and answers as it does."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import ernie_triton.perf.baseline.repository as baseline
from ernie_triton.client.transport import Connection, GrpcTransport
from ernie_triton.client.wire import Endpoint, InferRequest, Reply, RequestedOutput
from ernie_triton.errors import CheckpointError, RepositoryError
from ernie_triton.server.embedded import EmbeddedServer
from tests.commands import command
from tests.live.requests import engine_runs
from tests.paths import ROOT
from tests.perf.conftest import Tiny

main = command("perf")

TEXTS = [
    line.split("\t")[0]
    for line in (ROOT / "build_scripts" / "texts.txt").read_text(encoding="utf-8").splitlines()
]
OUTPUTS = (RequestedOutput(name="label"), RequestedOutput(name="confidence"))


def answers(url: str, model: str, texts: list[str]) -> Reply:
    transport = GrpcTransport(Connection(endpoint=Endpoint(url=url, model=model)))
    try:
        columns = {"text": [text.encode() for text in texts]}
        return transport.infer(InferRequest(columns=columns, outputs=OUTPUTS), 30.0)
    finally:
        transport.close()


@pytest.mark.live
@pytest.mark.parametrize("rows", [1, 8])
def test_it_answers_as_our_pipeline_does(
    tiny: Tiny, tiny_server: EmbeddedServer, rows: int
) -> None:
    labels = set()
    for start in range(0, len(TEXTS), rows):
        texts = TEXTS[start : start + rows]
        ours, theirs = (
            answers(tiny_server.url, model, texts) for model in (tiny.pipeline, tiny.baseline)
        )
        assert theirs["label"].shape == theirs["confidence"].shape == (len(texts), 1)
        assert theirs["label"].dtype == np.int64
        assert ours["label"].tolist() == theirs["label"].tolist()
        np.testing.assert_allclose(theirs["confidence"], ours["confidence"], rtol=0, atol=1e-4)
        labels.update(theirs["label"].reshape(-1).tolist())
    assert len(labels) > 1


@pytest.mark.live
def test_every_request_is_a_run_of_its_own(tiny: Tiny, tiny_server: EmbeddedServer) -> None:
    requests, runs = engine_runs(tiny_server.url, tiny.baseline)
    for text in TEXTS[:3]:
        answers(tiny_server.url, tiny.baseline, [text])
    after = engine_runs(tiny_server.url, tiny.baseline, requests=requests + 3)
    assert after == (requests + 3, runs + 3)


def test_the_command_prints_the_folder_and_replaces_what_it_wrote(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["baseline", "--checkpoint", str(tiny.checkpoint), "--repository", str(tmp_path)]
    for _ in range(2):
        assert main([*command, "--name", "old"]) == 0
        assert capsys.readouterr().out == f"{tmp_path / 'old'}\n"
    names = {"old", "old_tokenizer", "old_engine", "old_postprocess"}
    assert {path.name for path in tmp_path.iterdir()} == names
    for config in tmp_path.glob("*/config.pbtxt"):
        text = config.read_text(encoding="utf-8")
        assert "dynamic_batching" not in text
        assert "$" not in text


@pytest.fixture
def bare(tiny: Tiny, tmp_path: Path) -> Path:
    """The checkpoint without its exported graph."""
    folder = tmp_path / "bare"
    folder.mkdir()
    for name in ("config.json", "vocab.txt"):
        shutil.copyfile(tiny.checkpoint / name, folder / name)
    return folder


def test_a_missing_export_is_made_by_the_build(
    tiny: Tiny, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def export(*arguments: object) -> None:
        asked.append(arguments)
        shutil.copyfile(tiny.checkpoint / "exported.onnx", bare / "exported.onnx")

    monkeypatch.setattr(baseline, "run_build", export)
    baseline.write_baseline(bare, tmp_path / "repository", "made")
    assert asked == [("export", bare)]
    assert (tmp_path / "repository" / "made_engine" / "1" / "model.onnx").is_file()


def test_a_folder_without_a_vocabulary_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no vocab\.txt"):
        baseline.write_baseline(tmp_path, tmp_path / "repository", "made")


def test_a_vocabulary_that_pads_with_another_token_is_refused(bare: Path, tmp_path: Path) -> None:
    (bare / "vocab.txt").write_text("[UNK]\n[CLS]\n[SEP]\n[PAD]\n", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"has \[PAD\] at 3"):
        baseline.write_baseline(bare, tmp_path / "repository", "made")


def test_a_pipeline_of_ours_is_not_overwritten(tiny: Tiny) -> None:
    manifest = tiny.repository / tiny.pipeline / "1" / "manifest.json"
    before = json.loads(manifest.read_text(encoding="utf-8"))
    with pytest.raises(RepositoryError, match="give the baseline another --name"):
        baseline.write_baseline(tiny.checkpoint, tiny.repository, tiny.pipeline)
    assert json.loads(manifest.read_text(encoding="utf-8")) == before
