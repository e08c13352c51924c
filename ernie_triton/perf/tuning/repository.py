"""Serve a pipeline with another setting without a rebuild: changed configurations, linked files.

The tuned values are in the configurations alone, so a candidate needs no engine of its own.
"""

import dataclasses
import shutil
from pathlib import Path

from ernie_triton.build.config.reading import (
    ServingChange,
    changed_config,
    embedded_config,
    pipeline_stage,
)
from ernie_triton.errors import PipelineError, RepositoryError
from ernie_triton.perf.tuning.setting import Setting
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.server.builds.manifest_file import MANIFEST_FILE
from ernie_triton.server.builds.recording import accept_build

_CONFIGS = ("config.pbtxt", "configs")
_DECIDED_BY_THE_BUILD = ("task", "engine", "precision", "layout", "max_length")


def as_built(spec: PipelineSpec, how: str) -> PipelineSpec:
    """The pipeline with the engine that its build took.

    Args:
        spec: the pipeline.
        how: the command that builds it.

    Raises:
        PipelineError: the pipeline was built from another description.
        RepositoryError: the pipeline is not built.
    """
    if not (spec.repository / spec.name / str(spec.version) / MANIFEST_FILE).is_file():
        raise RepositoryError(
            f"{spec.repository} has no version {spec.version} of {spec.name}; run: {how}"
        )
    _, built = pipeline_stage(spec.repository, spec.name, "engine")
    if built.get("engine") in spec.engines:
        spec = dataclasses.replace(spec, engine=built["engine"])
    for name in _DECIDED_BY_THE_BUILD:
        wanted = str(getattr(spec, name))
        as_the_checkpoint_says = name == "max_length" and not spec.max_length
        if built.get(name) != wanted and not as_the_checkpoint_says:
            raise PipelineError(
                f"{spec.name} in {spec.repository} was built with {name} {built.get(name)}, but "
                f"the pipeline says {wanted}; run: {how}"
            )
    return spec


def lay_out(spec: PipelineSpec, setting: Setting, folder: Path) -> Path:
    """Write a repository with the pipeline's ensemble under a setting.

    Args:
        spec: the pipeline, already built.
        setting: the values for the configurations that the embedded server reads.
        folder: an empty folder; it links the pipeline's files, so it must not outlive them.

    Returns:
        The folder.

    Raises:
        RepositoryError: the pipeline is damaged, or the links cannot be made.
    """
    for model, change in _changes(setting.applied_to(spec)).items():
        try:
            _lay_out_model(spec.repository / model, folder / model, spec.version, change)
        except OSError as error:
            raise RepositoryError(f"{folder / model} cannot be written: {error}") from error
    _accept(spec, folder)
    return folder


def _accept(spec: PipelineSpec, folder: Path) -> None:
    """Give the ensemble a manifest of its own, of the files as they are in this folder."""
    version = folder / spec.name / str(spec.version)
    built = version.resolve()
    version.unlink()
    version.mkdir()
    for entry in built.iterdir():
        if entry.name == MANIFEST_FILE:
            shutil.copyfile(entry, version / entry.name)
        else:
            (version / entry.name).symlink_to(entry)
    accept_build(folder, spec.name)


def _changes(tuned: PipelineSpec) -> dict[str, ServingChange]:
    """Return the changes of each model's configuration, by model."""
    rows, threads = tuned.batching.max_batch_size, str(tuned.threads)
    delay_us = tuned.batching.max_queue_delay_us
    if tuned.is_joined:
        change = ServingChange(
            max_batch_size=rows,
            max_queue_delay_us=delay_us,
            instances=tuned.instances,
            parameters={"engine.threads": threads},
        )
        return {tuned.name: change}
    return {
        tuned.name: ServingChange(max_batch_size=rows),
        tuned.stage("tokenizer"): ServingChange(
            max_batch_size=rows,
            max_queue_delay_us=delay_us,
            instances=tuned.tokenizer_instances or None,
        ),
        tuned.stage("engine"): ServingChange(
            max_batch_size=tuned.max_stage_rows,
            instances=tuned.instances,
            parameters={"threads": threads},
        ),
        tuned.stage("postprocess"): ServingChange(
            max_batch_size=tuned.max_stage_rows, instances=tuned.postprocess_instances or None
        ),
    }


def _lay_out_model(built: Path, model: Path, version: int, change: ServingChange) -> None:
    """Write one model with its labels and warm-up samples, and with this version alone."""
    model.mkdir()
    for entry in built.resolve().iterdir():
        is_other_version = entry.name.isdigit() and entry.name != str(version)
        if entry.name not in _CONFIGS and not is_other_version:
            (model / entry.name).symlink_to(entry)
    text = changed_config(built / embedded_config(built), change)
    (model / "config.pbtxt").write_text(text, encoding="utf-8")
