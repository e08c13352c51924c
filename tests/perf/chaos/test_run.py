"""Faults on a real server: nothing is wrong or lost, and what goes wrong is seen."""

import dataclasses
import random
import shutil
from pathlib import Path

import pytest

from ernie_triton.errors import ServerError
from ernie_triton.perf.chaos.build_faults import ReloadedBuild, RolledBackBuild
from ernie_triton.perf.chaos.connection_faults import DroppedConnections
from ernie_triton.perf.chaos.faults import StruckPipeline
from ernie_triton.perf.chaos.load import BAD_TEXTS, MixedLoad
from ernie_triton.perf.chaos.request_faults import CancelledRequests, FullQueue
from ernie_triton.perf.chaos.run import ChaosOptions, run_chaos
from ernie_triton.perf.chaos.stage_faults import KilledStage
from ernie_triton.perf.chaos.subjects import subjects_of
from ernie_triton.perf.chaos.twins import copy_repository, exchange_build
from ernie_triton.server.builds.verification import check_repository
from ernie_triton.server.embedded import EmbeddedServer

pytestmark = pytest.mark.live


class NoReload:
    """A fault that fails to do its part."""

    name = "no reload"
    hurts = False

    def strike(self, target: StruckPipeline, chance: random.Random) -> str:
        """Fail."""
        del chance
        raise ServerError(f"{target.subject.name} was not reloaded")


@pytest.fixture(scope="module")
def one_pipeline(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chaos") / "models"
    for part in ("", "_tokenizer", "_engine", "_postprocess"):
        shutil.copytree(repository / f"ernie_seqcls{part}", folder / f"ernie_seqcls{part}")
    return folder


def test_faults_lose_nothing_and_a_fault_that_fails_fails_the_run(one_pipeline: Path) -> None:
    faults = (
        KilledStage(),
        ReloadedBuild(),
        RolledBackBuild(),
        FullQueue(),
        CancelledRequests(),
        DroppedConnections(),
        NoReload(),
    )
    options = ChaosOptions(repository=one_pipeline, minutes=0, threads=4, calm_s=0.1)
    told: list[str] = []
    report = run_chaos(options, told.append, faults)
    assert [strike.fault for strike in report.strikes] == [fault.name for fault in faults]
    *done, failed = report.strikes
    assert all(strike.back_s is not None for strike in done), told
    assert failed.done == "failed: ernie_seqcls was not reloaded"
    assert not report.passed
    assert (report.counts.wrong, report.counts.lost, report.unexpected) == (0, 0, [])
    assert report.counts.right["ernie_seqcls"] > 0
    assert check_repository(one_pipeline).whole[0].accepted == ()


def test_a_wrong_answer_is_counted_and_bad_texts_are_refused(
    repository: Path, server: EmbeddedServer
) -> None:
    subjects = [one for one in subjects_of(repository) if one.name == "ernie_seqcls"]
    solo, other, *_ = subjects[0].solo_answers(server.url, 60)
    wrong = dataclasses.replace(other, answer=solo.answer)
    load = MixedLoad(
        server.url, subjects, {"ernie_seqcls": [solo, wrong]}, threads=0, timeout_s=60, retries=0
    )
    with subjects[0].client(server.url, timeout_s=60, retries=0) as client:
        for one in (solo, wrong):
            load.ask(subjects[0], client, one)
    for kind in BAD_TEXTS:
        load.send_bad_text(subjects[0], kind)
    assert (load.counts.right.total(), load.counts.wrong) == (1, 1)
    assert load.counts.refused == dict.fromkeys(BAD_TEXTS, 1)
    assert load.counts.failures == []


def test_the_other_build_has_another_identity_and_comes_back(
    one_pipeline: Path, tmp_path: Path
) -> None:
    first = check_repository(one_pipeline).whole[0].identity
    copy_repository(one_pipeline, tmp_path / "copy")
    second = exchange_build(tmp_path / "copy", "ernie_seqcls")
    assert check_repository(tmp_path / "copy").whole[0].identity == second != first
    assert exchange_build(tmp_path / "copy", "ernie_seqcls") == first
    assert check_repository(one_pipeline).whole[0].identity == first
