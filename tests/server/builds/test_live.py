"""Builds of a running server: which models are loaded and unloaded, and what stays."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from ernie_triton.errors import RepositoryError, ServerError
from ernie_triton.server.builds.live import LiveBuilds
from ernie_triton.server.builds.verification import check_repository
from ernie_triton.server.builds.view import View
from tests.server.builds.small_builds import ENSEMBLE, JOINED, publish_small_build

STAGES = ("tokenizer", "engine", "postprocess")


class LoadedModels:
    """Reads a model's folder when it is loaded, as Triton does; some names fail."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.contents: dict[str, dict[str, str]] = {}
        self.calls: list[str] = []
        self.failing: set[str] = set()
        for model in sorted(path.name for path in view.models.iterdir()):
            self.contents[model] = self._read(model)

    def load(self, name: str) -> None:
        self.calls.append(f"load {name}")
        if name in self.failing:
            self.failing.remove(name)
            raise ServerError(f"{name} cannot be loaded")
        for model in (name, *(f"{name}_{stage}" for stage in STAGES)):
            if (self._view.models / model).is_dir():
                self.contents[model] = self._read(model)

    def unload(self, name: str) -> None:
        self.calls.append(f"unload {name}")
        if self.contents.pop(name, None) is None:
            raise ServerError(f"{name} is not loaded")

    def _read(self, model: str) -> dict[str, str]:
        folder = self._view.models / model
        paths = (path for path in folder.rglob("*") if path.suffix != ".pyc" and path.is_file())
        return {str(path.relative_to(folder)): path.read_text() for path in paths}

    def build_of(self, name: str) -> str:
        """The build that a public model stands for, by the scripts of the models it names."""
        config = self.contents[name]["config.pbtxt"]
        steps = [line.split('"')[1] for line in config.splitlines() if "model_name" in line]
        scripts = [self.contents[model]["1/model.py"] for model in steps or [name]]
        (content,) = {script.split()[-1] for script in scripts}
        return content


class Served:
    """A repository, its server's models, and its builds."""

    def __init__(self, repository: Path, models: Sequence[str] = ENSEMBLE) -> None:
        self.repository = repository
        publish_small_build(repository, "a", models)
        self.view = View(repository)
        served = self.view.take_all(check_repository(repository))
        self.models = LoadedModels(self.view)
        self.builds = LiveBuilds(repository, self.view, served, self.models)

    def publish(self, content: str, models: Sequence[str] = ENSEMBLE) -> str:
        publish_small_build(self.repository, content, models)
        return self.builds.new_identity("p")

    def states(self) -> dict[str, str]:
        return {line.state: line.identity for line in self.builds.lines()}


@pytest.fixture(params=[ENSEMBLE, JOINED], ids=["ensemble", "joined"])
def served(tmp_path: Path, request: pytest.FixtureRequest) -> Served:
    return Served(tmp_path / "models", request.param)


@pytest.mark.parametrize("models", [ENSEMBLE, JOINED], ids=["to ensemble", "to joined"])
def test_a_new_build_goes_live_and_back(served: Served, models: Sequence[str]) -> None:
    first = served.states()["live"]
    second = served.publish("b", models)
    assert served.models.build_of("p") == "a"
    assert served.builds.reload("p") == f"p serves build {second}; {first} is kept for rollback"
    assert served.models.build_of("p") == "b"
    assert served.states() == {"live": second, "before": first}
    assert served.builds.rollback("p") == f"p serves build {first}; {second} is kept for rollback"
    assert served.models.build_of("p") == "a"
    served.builds.rollback("p")
    assert served.models.build_of("p") == "b"
    assert served.builds.new_identity("p") == ""


def test_a_loaded_stage_is_never_loaded_again_with_other_files(served: Served) -> None:
    before = dict(served.models.contents)
    served.publish("b")
    served.builds.reload("p")
    kept = {name: files for name, files in served.models.contents.items() if name != "p"}
    assert kept.items() >= {name: one for name, one in before.items() if name != "p"}.items()
    names = {name for name in kept if name not in before}
    assert {name.partition("@")[0] for name in names} == {"p"}
    assert len(names) == len(ENSEMBLE)


def test_a_canary_answers_beside_the_live_build_until_it_takes_its_place(served: Served) -> None:
    second = served.publish("b")
    assert served.builds.reload("p", canary=True).startswith(f"p@{second} answers beside p, build ")
    assert served.models.build_of(f"p@{second}") == "b"
    assert served.models.build_of("p") == "a"
    served.models.calls.clear()
    served.builds.reload("p")
    assert served.models.calls == ["load p"]
    assert served.models.build_of("p") == "b"


def test_an_old_build_goes_some_time_after_the_second_exchange(served: Served) -> None:
    first = served.states()["live"]
    second = served.publish("b")
    served.builds.reload("p")
    third = served.publish("c")
    served.builds.reload("p")
    assert served.states() == {"live": third, "before": second, "leaving": first}
    served.builds.tidy()
    assert "leaving" in served.states()
    served.builds.forget_after_s = 0
    served.builds.tidy()
    assert served.states() == {"live": third, "before": second}
    assert not {"p_tokenizer", f"p@{first}"} & set(served.models.contents)
    assert served.models.build_of("p") == "c"


def test_all_but_the_live_build_go_when_they_are_told_to(served: Served) -> None:
    second = served.publish("b")
    served.builds.reload("p")
    served.builds.forget_after_s = 0
    assert served.builds.forget("p").endswith(f"; build {second} is live")
    served.builds.tidy()
    assert served.states() == {"live": second}
    with pytest.raises(RepositoryError, match="p has no build before"):
        served.builds.rollback("p")
    served.publish("a")
    served.builds.reload("p")
    assert served.models.build_of("p") == "a"


def test_a_build_that_is_leaving_can_come_back(served: Served) -> None:
    for content in ("b", "c", "a"):
        served.publish(content)
        served.builds.reload("p")
        assert served.models.build_of("p") == content


@pytest.mark.parametrize("failing", ["p", "p@"])
def test_a_build_that_cannot_be_loaded_changes_nothing(served: Served, failing: str) -> None:
    before = served.states()
    second = served.publish("b")
    served.models.failing = {failing + second if failing == "p@" else "p"}
    with pytest.raises(ServerError, match="cannot be loaded"):
        served.builds.reload("p", canary=failing == "p@")
    assert served.models.build_of("p") == "a"
    assert served.states()["live"] == before["live"]
    served.builds.reload("p")
    assert served.models.build_of("p") == "b"


def test_a_damaged_build_is_not_taken_in(served: Served) -> None:
    served.publish("b")
    (served.repository / "p/config.pbtxt").write_text("changed")
    with pytest.raises(RepositoryError, match=r"p/config\.pbtxt is damaged"):
        served.builds.reload("p")
    assert served.models.build_of("p") == "a"
    assert set(served.states()) == {"live"}


def test_the_same_build_and_an_unknown_pipeline_are_refused(served: Served) -> None:
    with pytest.raises(RepositoryError, match=r"p serves build .* already"):
        served.builds.reload("p")
    with pytest.raises(RepositoryError, match="no pipeline 'q', only p"):
        served.builds.reload("q")


def test_what_is_served_is_not_what_is_edited(served: Served) -> None:
    for path in served.repository.rglob("*"):
        if path.is_file():
            path.write_text("edited in place")
    models = LoadedModels(served.view)
    assert models.build_of("p") == "a"


def test_the_view_is_removed_and_the_repository_stays(served: Served) -> None:
    before = sorted(served.repository.rglob("*"))
    served.view.remove()
    assert not served.view.models.exists()
    assert sorted(served.repository.rglob("*")) == before


def test_what_a_dead_server_left_is_removed_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    repository = tmp_path / "repository"
    repository.mkdir()
    process = os.fork()
    if not process:
        View(repository)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)
    left = [path for path in tmp_path.iterdir() if path != repository]
    assert len(left) == 1
    living = View(repository)
    next_one = View(repository)
    assert not left[0].exists()
    assert living.models.is_dir()
    for view in (living, next_one):
        view.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["repository"]


def test_models_of_others_are_served_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "theirs/1").mkdir(parents=True)
    (tmp_path / "theirs/config.pbtxt").write_text("theirs")
    view = View(tmp_path)
    assert view.take_all(check_repository(tmp_path)) == {}
    assert (view.models / "theirs/config.pbtxt").read_text() == "theirs"
    view.remove()
    assert (tmp_path / "theirs/config.pbtxt").is_file()
