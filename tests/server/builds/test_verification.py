"""Whatever file of a build is damaged, its pipeline is refused, and one line says what to do."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from ernie_triton.errors import RepositoryError
from ernie_triton.server.builds.manifest_file import MANIFEST_FILE
from ernie_triton.server.builds.verification import check_repository, repository_state, verify_build
from tests.commands import Run
from tests.server.builds.small_builds import ENSEMBLE, JOINED, publish_small_build

NAME, OTHER = "tnews_padded", "ernie_seqcls"
PARTS = ("", "_tokenizer", "_engine", "_postprocess")


@pytest.fixture(scope="module")
def models(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of two sample pipelines: another engine, layout and configuration."""
    folder = tmp_path_factory.mktemp("verified") / "models"
    for model in (f"{name}{part}" for name in (NAME, OTHER) for part in PARTS):
        shutil.copytree(
            repository / model, folder / model, ignore=shutil.ignore_patterns("__pycache__")
        )
    return folder


def flipped(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def swapped(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    one, other = rng.sample(range(len(lines)), 2) if len(lines) > 1 else (0, 0)
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def truncated(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


DAMAGES: Sequence[Callable[[bytes, random.Random], bytes]] = (
    *(flipped,) * 4,
    *(swapped,) * 4,
    truncated,
    lambda content, _: content[:-1],
    lambda content, _: content + b"\n",
    lambda _, __: b"",
)


def damaged_contents(models: Path, path: Path, rng: random.Random) -> Iterator[bytes]:
    content = path.read_bytes()
    other = models / str(path.relative_to(models)).replace(NAME, OTHER)
    made = [damage(content, rng) for damage in DAMAGES]
    if other.is_file():
        made.append(other.read_bytes())
    yield from (one for one in made if one != content)


def test_each_file_of_a_build_damaged_in_turn_is_refused(models: Path) -> None:
    assert {build.name for build in check_repository(models).whole} == {NAME, OTHER}
    rng = random.Random(0)
    paths = [path for part in PARTS for path in (models / f"{NAME}{part}").rglob("*")]
    files = [path for path in paths if path.is_file()]
    assert {path.name for path in files} >= {
        *("model.onnx", "vocab.txt", "labels.txt", "config.pbtxt", "embedded.pbtxt"),
        *("model.py", MANIFEST_FILE, "long_input_ids"),
    }
    assert len([path for path in files if path.name == "labels.txt"]) == 2
    for path in files:
        content = path.read_bytes()
        tried = 0
        for damaged in damaged_contents(models, path, rng):
            path.write_bytes(damaged)
            assert_refused(models, path)
            tried += 1
        path.unlink()
        assert_refused(models, path)
        path.write_bytes(content)
        assert tried >= 6
    assert {build.name for build in check_repository(models).whole} == {NAME, OTHER}


def assert_refused(models: Path, path: Path) -> None:
    state = repository_state(models)
    assert [build.name for build in state.whole] == [OTHER]
    (line,) = state.refused
    assert str(path) in line
    assert line.startswith(f"the pipeline {NAME} is not served: ")
    assert line.endswith(
        f"build it again, or, if it was changed on purpose: ernie-triton verify "
        f"--repository {models} --accept {NAME}"
    )


@pytest.mark.parametrize("name", ["1/model.bin", "2/model.onnx", "configs/other.pbtxt", "labels"])
def test_a_file_too_many_is_refused(models: Path, name: str) -> None:
    path = models / f"{NAME}_engine" / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    try:
        with pytest.raises(RepositoryError, match=r"is not of this build|is of another build"):
            check_repository(models)
    finally:
        path.unlink()
        shutil.rmtree(models / f"{NAME}_engine/2", ignore_errors=True)


def test_caches_of_python_and_hidden_files_decide_nothing(models: Path) -> None:
    (models / f"{NAME}_tokenizer/1/__pycache__").mkdir()
    (models / f"{NAME}_tokenizer/1/__pycache__/model.cpython-311.pyc").touch()
    (models / f"{NAME}_tokenizer/.DS_Store").touch()
    check_repository(models)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_another_build_is_refused(tmp_path: Path, part: str) -> None:
    for name, content in (("one", "first"), ("two", "second")):
        publish_small_build(tmp_path / name, content)
    shutil.rmtree(tmp_path / f"one/p{part}")
    (tmp_path / f"two/p{part}").rename(tmp_path / f"one/p{part}")
    with pytest.raises(RepositoryError, match=r"/p_\w+/\S+ is damaged, changed, or of another"):
        check_repository(tmp_path / "one")


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_refused(tmp_path: Path, part: str) -> None:
    publish_small_build(tmp_path, "first")
    shutil.rmtree(tmp_path / f"p{part}")
    with pytest.raises(RepositoryError, match=r"is missing|cannot be read"):
        check_repository(tmp_path)


def test_a_joined_build_replaces_an_ensemble_and_the_other_way_round(tmp_path: Path) -> None:
    for content, models in (("a", ENSEMBLE), ("b", JOINED), ("c", ENSEMBLE)):
        publish_small_build(tmp_path, content, models)
        assert set(verify_build(tmp_path, "p").models) == set(models)
        assert {path.name for path in tmp_path.iterdir()} == set(models)


def test_the_same_files_are_the_same_build(tmp_path: Path) -> None:
    identities = []
    for place, content in (("one", "a"), ("two", "a"), ("three", "b")):
        publish_small_build(tmp_path / place, content)
        identities.append(verify_build(tmp_path / place, "p").identity)
    assert identities[0] == identities[1] != identities[2]


def test_a_new_version_shares_its_warm_up_with_the_others(tmp_path: Path) -> None:
    for version, content in ((1, "a"), (3, "b"), (2, "c")):
        publish_small_build(tmp_path, content, version=version)
    assert verify_build(tmp_path, "p").version == 3
    (tmp_path / "p_engine/3/model.py").write_text("changed")
    with pytest.raises(RepositoryError, match=r"p_engine/3/model\.py is damaged"):
        check_repository(tmp_path)


def test_models_of_others_are_named_and_served(tmp_path: Path) -> None:
    publish_small_build(tmp_path, "a")
    (tmp_path / "theirs/1").mkdir(parents=True)
    (tmp_path / "theirs/config.pbtxt").touch()
    (tmp_path / "just_a_folder").mkdir()
    assert check_repository(tmp_path).unverified == ("theirs",)
    assert check_repository(tmp_path, ["p"]).unverified == ()
    assert check_repository(tmp_path, ["theirs"]).whole == ()
    assert [build.name for build in check_repository(tmp_path, ["p_engine"]).whole] == ["p"]


def test_only_the_pipelines_to_be_served_must_be_whole(tmp_path: Path) -> None:
    publish_small_build(tmp_path, "a")
    for model in ENSEMBLE:
        (tmp_path / model).rename(tmp_path / model.replace("p", "q", 1))
    publish_small_build(tmp_path, "a")
    assert [build.name for build in check_repository(tmp_path, ["p"]).whole] == ["p"]
    with pytest.raises(RepositoryError, match="the pipeline q is not served"):
        check_repository(tmp_path)


def test_configurations_without_builds_are_told_in_one_line(tmp_path: Path) -> None:
    publish_small_build(tmp_path, "a")
    for name in ("q1", "q2"):
        for model in ENSEMBLE:
            shutil.copytree(tmp_path / model, tmp_path / model.replace("p", name, 1))
        shutil.rmtree(tmp_path / name / "1")
    assert [build.name for build in repository_state(tmp_path).whole] == ["p"]
    with pytest.raises(RepositoryError) as refused:
        check_repository(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path} holds no build yet of q1, q2, only the conf")
    assert "\n" not in str(refused.value)


def test_a_change_on_purpose_is_accepted_and_told(tmp_path: Path, run: Run) -> None:
    publish_small_build(tmp_path, "a")
    before = verify_build(tmp_path, "p").identity
    config = tmp_path / "p_engine/config.pbtxt"
    config.write_text("changed")
    refused = run("verify", "--repository", tmp_path)
    assert (refused.code, refused.stdout) == (1, "")
    assert f"{config} is damaged, changed, or of another build" in refused.stderr
    done = run("verify", "--repository", tmp_path, "--accept", "p")
    assert (done.code, done.stderr) == (0, "p: accepted: p_engine/config.pbtxt is changed\n")
    after = verify_build(tmp_path, "p")
    assert after.identity != before
    assert done.stdout == (
        f"p version 1: build {after.identity}, {len(after.files)} files whole, changed on purpose: "
        f"p_engine/config.pbtxt\n"
    )


def test_a_manifest_of_an_earlier_release_is_refused_until_it_is_accepted(
    tmp_path: Path, run: Run
) -> None:
    publish_small_build(tmp_path, "a")
    (tmp_path / "p/1" / MANIFEST_FILE).write_text('{"name": "p", "version": 1}\n')
    refused = run("verify", "--repository", tmp_path)
    assert refused.code == 1
    assert "has no checksums, as in earlier releases" in refused.stderr
    assert run("verify", "--repository", tmp_path, "--accept", "p").code == 0
    assert check_repository(tmp_path).whole[0].accepted == ()


def test_what_cannot_be_accepted_is_one_line(tmp_path: Path, run: Run) -> None:
    refused = run("verify", "--repository", tmp_path, "--accept", "p")
    assert refused.code == 1
    assert refused.stderr.count("\n") == 1
    assert "build the pipeline again" in refused.stderr
