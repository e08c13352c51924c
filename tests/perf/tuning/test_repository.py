"""A pipeline laid out with another setting: changed configurations, linked files."""

import dataclasses
import json
from pathlib import Path

import pytest

from ernie_triton.build.config.reading import stage_parameters
from ernie_triton.errors import PipelineError, RepositoryError
from ernie_triton.perf.tuning.repository import as_built, lay_out
from ernie_triton.perf.tuning.setting import DEFAULTS, Setting
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.tasks import AUTO_ENGINE
from tests.perf.conftest import Tiny

SETTING = Setting(
    threads=1,
    instances=2,
    max_batch_size=16,
    max_queue_delay_us=500,
    tokenizer_instances=3,
    postprocess_instances=2,
)
HOW = "ernie-triton build p.toml"


@pytest.fixture
def spec(tiny: Tiny) -> PipelineSpec:
    return PipelineSpec(
        checkpoint=tiny.checkpoint,
        task="seq_cls",
        repository=tiny.repository,
        name=tiny.pipeline,
        joined=False,
    )


def configs(repository: Path, name: str) -> dict[str, str]:
    return {
        path.parent.name: path.read_text(encoding="utf-8")
        for path in sorted(repository.glob("*/config.pbtxt"))
        if path.parent.name in {name, *(f"{name}_{part}" for part in STAGES)}
    }


STAGES = ("tokenizer", "engine", "postprocess")


def test_the_pipelines_own_setting_changes_no_configuration(
    spec: PipelineSpec, tmp_path: Path
) -> None:
    lay_out(spec, DEFAULTS, tmp_path)
    assert configs(tmp_path, spec.name) == configs(spec.repository, spec.name)


def test_a_setting_is_what_a_build_with_it_would_write(spec: PipelineSpec, tmp_path: Path) -> None:
    from ernie_triton.cli import main as build_scripts

    build = ["build", "--checkpoint", str(spec.checkpoint), "--task", "seq_cls"]
    options = ["--no-joined", "--threads", "1", "--instances", "2", "--max-batch-size", "16"]
    options += ["--max-queue-delay-us", "500", "--name", spec.name]
    options += ["--tokenizer-instances", "3", "--postprocess-instances", "2"]
    rebuilt = tmp_path / "rebuilt"
    assert build_scripts([*build, *options, "--repository", str(rebuilt)]) == 0
    laid_out = tmp_path / "laid-out"
    laid_out.mkdir()
    lay_out(spec, SETTING, laid_out)
    assert configs(laid_out, spec.name) == configs(rebuilt, spec.name)


def test_engines_are_linked_and_other_versions_are_not_there(
    spec: PipelineSpec, tmp_path: Path
) -> None:
    lay_out(spec, SETTING, tmp_path)
    engine = tmp_path / spec.stage("engine")
    assert (engine / "1").is_symlink()
    assert (engine / "1" / "model.xml").is_file()
    assert not (engine / "configs").exists()


def small_repository(folder: Path) -> PipelineSpec:
    """A model that its manifest and its engine's parameters describe, without files."""
    (folder / "a" / "1").mkdir(parents=True)
    (folder / "a" / "1" / "manifest.json").write_text(
        json.dumps({"name": "a", "version": 1}), encoding="utf-8"
    )
    (folder / "a_engine").mkdir()
    values = {
        "task": "seq_cls",
        "engine": "openvino",
        "precision": "fp32",
        "layout": "packed",
        "max_length": "128",
    }
    text = "\n".join(
        f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}'
        for key, value in values.items()
    )
    (folder / "a_engine" / "config.pbtxt").write_text(text, encoding="utf-8")
    return PipelineSpec(
        checkpoint=Path("c"), task="seq_cls", repository=folder, name="a", joined=False
    )


def test_a_pipeline_that_is_built_as_it_says_is_accepted(tmp_path: Path) -> None:
    spec = small_repository(tmp_path)
    assert spec.engine == AUTO_ENGINE
    assert as_built(spec, HOW).engine == "openvino"


def test_a_pipeline_that_is_not_built_is_told_how(tmp_path: Path) -> None:
    spec = small_repository(tmp_path)
    with pytest.raises(RepositoryError, match=f"has no version 2 of a; run: {HOW}"):
        as_built(dataclasses.replace(spec, version=2), HOW)


def test_a_pipeline_that_was_built_otherwise_is_refused(tmp_path: Path) -> None:
    spec = dataclasses.replace(small_repository(tmp_path), precision="bf16")
    with pytest.raises(
        PipelineError, match="built with precision fp32, but the pipeline says bf16"
    ):
        as_built(spec, HOW)


def test_the_embedded_servers_configuration_is_the_one_that_is_changed(tmp_path: Path) -> None:
    spec = small_repository(tmp_path / "built")
    stage = 'max_batch_size: 64 parameters { key: "threads" value { string_value: "0" } }'
    for model in (spec.name, *(spec.stage(part) for part in STAGES)):
        (spec.repository / model / "1").mkdir(parents=True, exist_ok=True)
        (spec.repository / model / "config.pbtxt").write_text("max_batch_size: 64")
    (spec.repository / "a_engine" / "configs").mkdir()
    (spec.repository / "a_engine" / "configs" / "embedded.pbtxt").write_text(stage)
    folder = tmp_path / "laid-out"
    folder.mkdir()
    lay_out(spec, SETTING, folder)
    assert stage_parameters(folder / "a_engine") == {"threads": "1"}
    assert "max_batch_size: 16" in (folder / "a_engine" / "config.pbtxt").read_text()


def test_joined_stages_are_one_model_with_every_value(tmp_path: Path) -> None:
    spec = dataclasses.replace(small_repository(tmp_path / "built"), joined=True)
    text = "max_batch_size: 64 instance_group { count: 1 } dynamic_batching { } parameters "
    parameter = '{ key: "engine.threads" value { string_value: "0" } }'
    (spec.repository / spec.name / "config.pbtxt").write_text(f"{text} {parameter}")
    folder = tmp_path / "laid-out"
    folder.mkdir()
    alone = dataclasses.replace(SETTING, tokenizer_instances=0, postprocess_instances=0)
    lay_out(spec, alone, folder)
    assert [model.name for model in folder.iterdir()] == [spec.name]
    assert stage_parameters(folder / spec.name) == {"engine.threads": "1"}
    written = (folder / spec.name / "config.pbtxt").read_text()
    for value in ("max_batch_size: 16", "count: 2", "max_queue_delay_microseconds: 500"):
        assert value in written
