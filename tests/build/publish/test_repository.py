"""A repository is as it was until everything is there, and again as it was if a rename fails."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ernie_triton.build.publish.repository import StagedPipeline
from ernie_triton.errors import RepositoryError
from tests.build.models import tree_of

MODELS = ("p", "p_tokenizer", "p_engine", "p_postprocess")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """In a folder of its own, so that what is left beside it is seen; with another model in it."""
    folder = tmp_path / "beside/models"
    (folder / "other/1").mkdir(parents=True)
    (folder / "other/config.pbtxt").write_text("name: 'other'")
    (folder / "README").write_text("plain files are ignored")
    return folder


def write(staged: StagedPipeline, content: str, *, config: str = "config") -> None:
    for model in MODELS:
        (staged.version_folder(model) / "model").write_text(f"{model} {content}")
        (staged.model_folder(model) / "config.pbtxt").write_text(config)
    (staged.model_folder("p") / "labels.txt").write_text("a\nb\n")
    (staged.model_folder("p_engine") / "configs").mkdir()
    (staged.model_folder("p_engine") / "configs/embedded.pbtxt").write_text(config)


def publish(repository: Path, version: int, content: str, *, config: str = "config") -> None:
    with StagedPipeline(repository, MODELS, version) as staged:
        write(staged, content, config=config)
        staged.publish()


def pipeline_files(versions: Sequence[tuple[int, str]], config: str = "config") -> dict[str, bytes]:
    files = {"p/labels.txt": b"a\nb\n", "p_engine/configs/embedded.pbtxt": config.encode()}
    for model in MODELS:
        files[f"{model}/config.pbtxt"] = config.encode()
        for version, content in versions:
            files[f"{model}/{version}/model"] = f"{model} {content}".encode()
    return files


def files_in(folder: Path) -> dict[str, bytes]:
    return {name: item for name, item in tree_of(folder).items() if isinstance(item, bytes)}


def test_a_published_pipeline_is_there_and_nothing_else_changed(repository: Path) -> None:
    before = tree_of(repository)
    publish(repository, 1, "first")
    files = files_in(repository)
    assert {name: files.pop(name) for name in pipeline_files([(1, "first")])} == pipeline_files(
        [(1, "first")]
    )
    assert files == {name: item for name, item in before.items() if isinstance(item, bytes)}
    assert [path.name for path in repository.parent.iterdir()] == ["models"]


def test_a_repository_is_made_with_its_parents(tmp_path: Path) -> None:
    publish(tmp_path / "a/b/models", 1, "first")
    assert files_in(tmp_path / "a") == {
        f"b/models/{name}": content for name, content in pipeline_files([(1, "first")]).items()
    }


def test_until_it_is_published_the_repository_is_as_it_was(repository: Path) -> None:
    publish(repository, 1, "first")
    before = tree_of(repository)
    with StagedPipeline(repository, MODELS, 1) as staged:
        write(staged, "second")
        assert tree_of(repository) == before
        assert staged.version_folder("p").is_dir()
        assert repository not in staged.version_folder("p").parents
    assert tree_of(repository) == before


@pytest.mark.parametrize("error", [RepositoryError, ValueError, KeyboardInterrupt])
def test_a_failed_build_leaves_no_trace(repository: Path, error: type[BaseException]) -> None:
    publish(repository, 1, "first")
    before = tree_of(repository.parent)

    def failing_build() -> None:
        with StagedPipeline(repository, MODELS, 2) as staged:
            write(staged, "second")
            raise error

    with pytest.raises(error):
        failing_build()
    assert tree_of(repository.parent) == before


def test_a_failed_first_build_makes_no_repository(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad"), StagedPipeline(tmp_path / "new", MODELS, 1):
        raise ValueError("bad")
    assert list(tmp_path.iterdir()) == []


def test_the_same_version_is_replaced(repository: Path) -> None:
    publish(repository, 1, "first", config="old")
    (repository / "p/1/left-over").touch()
    publish(repository, 1, "second", config="new")
    found = files_in(repository)
    assert found.items() >= pipeline_files([(1, "second")], "new").items()
    assert "p/1/left-over" not in found


def test_other_versions_are_kept(repository: Path) -> None:
    for version, content in ((1, "first"), (10, "tenth"), (2, "second")):
        publish(repository, version, content)
    expected = pipeline_files([(1, "first"), (10, "tenth"), (2, "second")])
    assert files_in(repository).items() >= expected.items()


@pytest.mark.parametrize(
    "changed", ["p_engine/config.pbtxt", "p_engine/configs/embedded.pbtxt", "p/labels.txt"]
)
def test_a_version_that_would_change_another_s_configuration_is_refused(
    repository: Path, changed: str
) -> None:
    publish(repository, 1, "first")
    (repository / changed).write_text("differs")
    before = tree_of(repository.parent)
    with pytest.raises(
        RepositoryError, match=rf"{changed} of version 1 would change with version 2, .*--name"
    ):
        publish(repository, 2, "second")
    assert tree_of(repository.parent) == before


@pytest.mark.parametrize("blocked", MODELS)
def test_a_rename_that_fails_half_way_puts_everything_back(repository: Path, blocked: str) -> None:
    publish(repository, 1, "first")
    # A folder cannot be renamed onto a link to nowhere; the models before it were moved already.
    for path in sorted((repository / blocked).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (repository / blocked).rmdir()
    (repository / blocked).symlink_to("nowhere")
    before = tree_of(repository.parent)
    with pytest.raises(RepositoryError, match=r"cannot be written: .*; it is as it was"):
        publish(repository, 1, "second")
    assert tree_of(repository.parent) == before


def test_a_file_in_the_repository_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(RepositoryError, match=r"models cannot be written"):
        publish(tmp_path / "models", 1, "first")
    with pytest.raises(RepositoryError, match=r"models/inside cannot be written"):
        publish(tmp_path / "models/inside", 1, "first")
    assert tree_of(tmp_path) == {"models": b"a file"}


def test_a_linked_repository_stays_a_link(tmp_path: Path, repository: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(repository)
    publish(link, 1, "first")
    assert link.is_symlink()
    assert files_in(repository).items() >= pipeline_files([(1, "first")]).items()
    assert [path.name for path in repository.parent.iterdir()] == ["models"]


def test_published_folders_can_be_read_by_the_server_s_user(repository: Path) -> None:
    publish(repository, 1, "first")
    for model in MODELS:
        assert (repository / model).stat().st_mode == (repository / "other").stat().st_mode


def test_it_is_of_use_only_as_a_context(repository: Path) -> None:
    with pytest.raises(RuntimeError, match="outside of its context"):
        StagedPipeline(repository, MODELS, 1).model_folder("p")
