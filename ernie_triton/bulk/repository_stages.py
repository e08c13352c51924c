"""The stages of a pipeline in a model repository, without a server."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ernie_triton.build.check.stage_answers import StageAnswers
from ernie_triton.build.config.reading import pipeline_stage, served_config
from ernie_triton.client.transport import facts_from_config
from ernie_triton.decoders.labels import LABELS_FILE, load_labels
from ernie_triton.engines import load_engine
from ernie_triton.errors import RepositoryError
from ernie_triton.settings import EngineSettings
from ernie_triton.stage_names import PARTS
from ernie_triton.stages.asked_texts import ExtractionSettings
from ernie_triton.stages.engine import EngineStage
from ernie_triton.stages.extraction import JoinedExtraction
from ernie_triton.stages.joined import JoinedStages
from ernie_triton.stages.postprocess import PostprocessStage
from ernie_triton.stages.stage import Stage
from ernie_triton.stages.tokenizer import TokenizerStage, text_encoder
from ernie_triton.tasks import task_named

_VERSION = "1"


def repository_answers(repository: Path, pipeline: str, threads: int = 0) -> StageAnswers:
    """A blocking transport that runs a pipeline's stages; they are opened with the first request.

    Args:
        repository: the model repository.
        pipeline: its name there, an ensemble or joined stages.
        threads: of the engine; 0 as the pipeline was built.

    Raises:
        RepositoryError: it is not there, or its configuration is none of Triton's.
        LabelCountError: its label names cannot be read.
    """
    facts = facts_from_config(served_config(repository / pipeline))
    names = repository / pipeline / LABELS_FILE
    labels = load_labels(names) if names.is_file() else []
    return StageAnswers(
        pipeline, facts, labels, partial(_opened_stages, repository, pipeline, threads)
    )


def _opened_stages(repository: Path, pipeline: str, threads: int) -> Stage[Any]:
    """All stages as one, which defers no request.

    Raises:
        RepositoryError: the engine is one of Triton's own backends.
        ErnieTritonError: a stage cannot be opened.
    """
    folders, parameters = {}, {}
    for part in PARTS:
        model, parameters[part] = pipeline_stage(repository, pipeline, part)
        folders[part] = model / _VERSION
    if "engine" not in parameters["engine"]:
        raise RepositoryError(
            f"{folders['engine'].parent} runs in a backend of Triton's own; ask a server for it "
            f"with --url, or build the pipeline with an engine for CPU"
        )
    settings = EngineSettings.from_parameters(parameters["engine"])
    settings = replace(settings, threads=threads or settings.threads)
    engine = EngineStage(load_engine(folders["engine"], settings), defers=False)
    if task_named(settings.task).asks_again:
        asked = ExtractionSettings.from_parameters(parameters["tokenizer"])
        return JoinedExtraction(asked, text_encoder(asked, folders["tokenizer"]), engine)
    return JoinedStages(
        TokenizerStage.open(parameters["tokenizer"], folders["tokenizer"]),
        engine,
        PostprocessStage.open(parameters["postprocess"], folders["postprocess"]),
    )
