"""A new build goes live under load, and back: no error, and each answer is one build's whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.server.builds.recording import accept_build
from ernie_triton.server.embedded import EmbeddedServer
from tests.conftest import build_sample, options_for
from tests.live.reloading import Load, answers_of

pytestmark = pytest.mark.live

NAMES = {"ernie_seqcls": "tnews_bf16", "joined": "joined"}
PARTS = ("", "_tokenizer", "_engine", "_postprocess")


def take(source: Path, name: str, repository: Path, new: str) -> None:
    """Copy a pipeline, stages and all, under a name."""
    for part in PARTS:
        if (source / f"{name}{part}").is_dir():
            target = repository / f"{new}{part}"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source / f"{name}{part}", target)
            for config in target.rglob("*.pbtxt"):
                config.write_text(config.read_text().replace(f'"{name}', f'"{new}'))


def relabel(repository: Path, name: str) -> None:
    """Make another build of it: other label names, fewer letters, in both copies."""
    for path in repository.glob(f"{name}*/labels.txt"):
        labels = path.read_text(encoding="utf-8").splitlines()
        path.write_text("".join(f"new_{label}\n" for label in labels), encoding="utf-8")
    manifest = repository / name / "1/manifest.json"
    text = manifest.read_text(encoding="utf-8").replace(NAMES[name], name)
    manifest.write_text(text, encoding="utf-8")
    accept_build(repository, name)


@pytest.fixture(scope="module")
def builds(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two repositories with the same pipelines: other precision and labels; and the one served."""
    folder = tmp_path_factory.mktemp("reload")
    (folder / "served").mkdir()
    build_sample("tnews.toml", folder / "first", "--name", "joined", "--joined")
    take(repository, "ernie_seqcls", folder / "first", "ernie_seqcls")
    take(repository, "tnews_bf16", folder / "second", "ernie_seqcls")
    take(folder / "first", "joined", folder / "second", "joined")
    for name in NAMES:
        relabel(folder / "second", name)
        take(folder / "first", name, folder / "served", name)
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def reloading(builds: dict[str, Path]) -> Iterator[EmbeddedServer]:
    """A server beside whose pipelines another model was removed from the repository."""
    other = builds["served"] / "other"
    shutil.copytree(builds["first"] / "joined", other)
    with EmbeddedServer(options_for(builds["served"], *NAMES)) as running:
        shutil.rmtree(other)
        assert set(NAMES) <= set(running.models())
        yield running


@pytest.mark.parametrize("name", NAMES)
def test_exchanges_under_load_fail_no_request_and_mix_no_answer(
    builds: dict[str, Path], reloading: EmbeddedServer, name: str
) -> None:
    live, url = reloading.live_builds, reloading.url
    take(builds["second"], name, builds["served"], name)
    identity = live.new_identity(name)
    first = answers_of(url, name)
    assert live.reload(name, canary=True).startswith(f"{name}@{identity} answers beside")
    second = answers_of(url, f"{name}@{identity}")
    assert [bytes(answer["label_name"][0, 0])[:4] for answer in second] == [b"new_"] * len(second)
    load = Load(url, name, {"first": first, "second": second})
    load.start(16)
    try:
        for exchange in (live.reload, live.rollback, live.rollback):
            reloading.watch(1)
            assert exchange(name).startswith(f"{name} serves build ")
        reloading.watch(1)
    finally:
        load.stop()
    assert load.errors == []
    assert set(load.counts) == {"first", "second"}
    states = {line.state for line in live.lines() if line.name == name}
    assert states == {"live", "before"}
    with SeqClsClient(url, name) as client:
        (answer,) = client.classify(["央行降息"])
    assert answer.best.name.startswith("new_")
