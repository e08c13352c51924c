"""The cache builds once what is asked for, and anew where the sources changed."""

import itertools
from pathlib import Path

import pytest

import ernie_triton.perf.engines.model_cache
from ernie_triton.model_shapes import Shape
from ernie_triton.perf.engines.model_cache import ModelCache

SHAPE = Shape(layers=1, hidden=24, heads=3, feed_forward=40)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The commands of the build that were run; each makes the folders that the real one makes."""
    commands: list[tuple[str, ...]] = []

    def run(*arguments: object) -> None:
        words = tuple(str(word) for word in arguments)
        commands.append(words)
        options = dict(itertools.pairwise(words))
        if words[0] == "random":
            Path(options["--output"]).mkdir(parents=True)
        elif words[0] == "build":
            (Path(options["--repository"]) / options["--name"]).mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(ernie_triton.perf.engines.model_cache, "run_build", run)
    return commands


def test_a_pipeline_is_built_once(tmp_path: Path, built: list[tuple[str, ...]]) -> None:
    cache = ModelCache(folder=tmp_path, labels=7)
    for _ in range(2):
        assert cache.pipeline("a", SHAPE, "--precision", "bf16") == "a"
    (random, build) = built
    assert random[:9] == (
        *("random", "--layers", "1", "--hidden", "24", "--heads", "3", "--feed-forward", "40"),
    )
    assert build[:3] == ("build", "--checkpoint", str(tmp_path / "checkpoints" / "1x24-3-40-7"))
    assert build[-2:] == ("--precision", "bf16")


def test_another_option_builds_it_again_from_the_same_checkpoint(
    tmp_path: Path, built: list[tuple[str, ...]]
) -> None:
    cache = ModelCache(folder=tmp_path)
    cache.pipeline("a", SHAPE, "--precision", "bf16")
    cache.pipeline("a", SHAPE, "--precision", "fp32")
    assert [command[0] for command in built] == ["random", "build", "build"]


def test_changed_sources_build_into_another_repository_and_drop_the_old_one(
    tmp_path: Path, built: list[tuple[str, ...]]
) -> None:
    cache = ModelCache(folder=tmp_path)
    cache.pipeline("a", SHAPE)
    old = cache.repository
    ModelCache(folder=tmp_path, sources="changed").pipeline("a", SHAPE)
    assert [command[0] for command in built] == ["random", "build", "build"]
    assert not old.exists()
    assert (tmp_path / "repository-changed" / "a").is_dir()


def test_the_exported_graph_is_asked_for_where_it_is_missing(
    tmp_path: Path, built: list[tuple[str, ...]]
) -> None:
    cache = ModelCache(folder=tmp_path)
    folder = cache.checkpoint(SHAPE, exported=True)
    assert built[-1] == ("export", str(folder))
    (folder / "exported.onnx").touch()
    cache.checkpoint(SHAPE, exported=True)
    assert [command[0] for command in built] == ["random", "export"]
