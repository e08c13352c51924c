"""Fine-tune a base checkpoint on labelled data, and write the result as a checkpoint."""

import dataclasses
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ernie_triton.build.load import holds_weights
from ernie_triton.build.torch_models.checkpoints import (
    check_free,
    load_model,
    load_tokenizer,
    save_model,
)
from ernie_triton.pipeline import DEFAULT_MAX_LENGTH, Answering
from ernie_triton.tasks import task_named
from ernie_triton.training.datasets import DataSet, PromptRules, read_dataset
from ernie_triton.training.datasets.plain import PLAIN_DEV, plain_content
from ernie_triton.training.finetune.curve import check_drawing, curve_png
from ernie_triton.training.finetune.recipes import Recipe, recipe_for
from ernie_triton.training.finetune.remarks import remarks
from ernie_triton.training.loop.training import CHECKPOINT_EVERY_S, TrainingResult, train
from ernie_triton.training.loop.work_folder import WorkFolder
from ernie_triton.training.tasks import training_task

TRAINING_FILE = "training.json"
CURVE_FILE = "curve.png"

Note = Callable[[str], None]
"""Receives a line of progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuning:
    """Request to fine-tune a checkpoint on a data set.

    Attributes:
        task: a task name of `datasets.TRAINED_TASKS`.
        checkpoint: the base: a transformers or PaddleNLP checkpoint, or `config.json` and
            `vocab.txt` alone for random weights.
        data: the folder of the data set.
        output: the checkpoint to write.
        dataset: name of the format; empty to recognise it.
        train_file: replaces the folder's training file.
        dev_file: replaces the folder's development file.
        prompt_rules: how the labels of extraction become prompts.
        given: values that replace the recipe's, by their names in `Schedule`, or `max_length`.
        resume: continue a killed run from the folder beside the output.
        checkpoint_every_s: seconds between checkpoints of the training.
    """

    task: str
    checkpoint: Path
    data: Path
    output: Path
    dataset: str = ""
    train_file: Path | None = None
    dev_file: Path | None = None
    prompt_rules: PromptRules = field(default_factory=PromptRules)
    given: Mapping[str, object] = field(default_factory=dict)
    resume: bool = True
    checkpoint_every_s: float = CHECKPOINT_EVERY_S

    @property
    def work(self) -> Path:
        """Folder beside the output from which a killed run resumes."""
        return self.output.with_name(f"{self.output.name}.work")


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuned:
    """Outcome of fine-tuning.

    Attributes:
        wanted: the request.
        data: the data set.
        recipe: the hyper-parameters.
        result: the outcome of the training.
        answering: postprocess settings that the model's pipeline needs.
        parameters: number of weights.
    """

    wanted: FineTuning
    data: DataSet
    recipe: Recipe
    result: TrainingResult
    answering: Answering
    parameters: int

    def pipeline_options(self) -> list[str]:
        """Return the options of `build` for this model that differ from its defaults."""
        options = ["--task", self.data.task]
        task = task_named(self.data.task)
        if self.data.pair and task.texts and task.pair_texts:
            options.append("--pair")
        if self.recipe.max_length != DEFAULT_MAX_LENGTH or task.asks_again:
            options += ["--max-length", str(self.recipe.max_length)]
        if self.answering.no_answer_threshold != Answering().no_answer_threshold:
            options += ["--no-answer-threshold", f"{self.answering.no_answer_threshold:g}"]
        if self.answering.pooling != Answering().pooling:
            options += ["--pooling", self.answering.pooling]
        return options

    def to_json(self) -> dict[str, object]:
        """Return the content of `training.json`."""
        data, result = self.data, self.result
        return {
            "task": data.task,
            "dataset": data.name,
            "train": {"path": str(data.train_path), "lines": len(data.train), "rows": result.rows},
            "dev": {"path": str(data.dev_path), "lines": len(data.dev)},
            "notes": list(data.notes),
            "labels": list(data.labels),
            "base": str(self.wanted.checkpoint),
            "parameters": self.parameters,
            "metric": result.metric,
            "points": round(result.points, 4),
            "figures": dict(result.figures),
            "kept": dataclasses.asdict(result.kept),
            "max_length": self.recipe.max_length,
            "schedule": dataclasses.asdict(self.recipe.schedule),
            "precision": result.precision,
            "processes": result.processes,
            "steps": result.steps,
            "seconds": round(result.seconds, 1),
            "evaluations": [dataclasses.asdict(one) for one in result.history.evaluations],
            "losses": [list(one) for one in result.history.losses],
            "versions": training_versions(),
        }


def finetune(wanted: FineTuning, note: Note) -> FineTuned:
    """Train a checkpoint on labelled data, and write the best of its states.

    All input is checked before the first step. With torchrun every process calls this, and the
    first one writes.

    Args:
        wanted: the request.
        note: receives a line for each thing that was read.

    Raises:
        DatasetError: the data cannot be used.
        CheckpointError: the base cannot be read, or the output exists.
        TrainingError: the recipe or the work folder cannot be used.
        MissingExtraError: a package of the extra `train` is missing.
    """
    check_free(wanted.output)
    check_drawing()
    data = read_dataset(
        wanted.task,
        wanted.data,
        dataset=wanted.dataset,
        train_file=wanted.train_file,
        dev_file=wanted.dev_file,
        prompt_rules=wanted.prompt_rules,
    )
    has_weights = holds_weights(wanted.checkpoint)
    recipe = recipe_for(data.name, has_weights=has_weights, given=wanted.given)
    tokenizer = load_tokenizer(wanted.checkpoint, max_length=recipe.max_length)
    for line in (*data_lines(data), *remarks(data, tokenizer)):
        note(line)
    model = load_model(
        wanted.checkpoint, task=data.task, labels=data.outputs, seed=recipe.schedule.seed
    )
    task = training_task(data, tokenizer, max_length=recipe.max_length)
    result = train(
        model,
        data,
        task,
        recipe.schedule,
        wanted.work,
        signature=f"fine-tuning, {data.task}, {recipe.max_length} tokens",
        resume=wanted.resume,
        name=f"finetune {data.name}",
        checkpoint_every_s=wanted.checkpoint_every_s,
    )
    made = FineTuned(
        wanted=wanted,
        data=data,
        recipe=recipe,
        result=result,
        answering=task.answering(),
        parameters=sum(weights.numel() for weights in model.parameters()),
    )
    if result.is_writer:
        files = _files(made)
        save_model(model, wanted.output, tokenizer_from=wanted.checkpoint, more_files=files)
        WorkFolder(path=wanted.work).remove()
    return made


def training_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide a training's weights."""
    packages = {name: version(name) for name in ("torch", "transformers", "accelerate")}
    return {"python": platform.python_version(), **packages}


def data_lines(data: DataSet) -> list[str]:
    """Describe the data set and the lines that were left out, one line each."""
    labels = f", {len(data.labels)} labels" if data.labels else ""
    head = (
        f"{data.name}: {len(data.train)} training lines ({data.train_path}), {len(data.dev)} "
        f"development lines ({data.dev_path}){labels}"
    )
    return [head, *data.notes]


def _files(made: FineTuned) -> dict[str, bytes]:
    """Make the further files of the output, by name."""
    record: dict[str, Any] = made.to_json()
    title = f"{made.wanted.output.name}: {made.data.task} on {made.data.name}"
    files = {
        TRAINING_FILE: (json.dumps(record, ensure_ascii=False, indent=2) + "\n").encode("utf-8"),
        CURVE_FILE: curve_png(made.result.history, title=title, metric=made.result.metric),
    }
    if not made.data.is_plain:
        files[PLAIN_DEV] = plain_content(made.data).encode("utf-8")
    return files
