"""Train a tiny ERNIE on a sample task by fine-tuning: from data to a measured checkpoint."""

import dataclasses
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from ernie_triton.build.load.safetensors_file import write_safetensors
from ernie_triton.build.load.weight_files import SAFETENSORS_FILE, TOKEN_HEAD_FILES
from ernie_triton.build.torch_models.checkpoints import check_free
from ernie_triton.build.torch_models.modules import import_torch
from ernie_triton.training.datasets import DataSet, LabelledText, read_dataset
from ernie_triton.training.datasets.plain import plain_content
from ernie_triton.training.finetune.finetuning import (
    CURVE_FILE,
    TRAINING_FILE,
    FineTuning,
    finetune,
)
from ernie_triton.training.finetune.recipes import recipe_for
from samples.augmentation import easy_pairs, varied_lines
from samples.bases import write_tiny_base
from samples.distillation.distilled import distilled
from samples.distillation.request import SampleDistillation
from samples.drawn_lines import drawn_lines
from samples.errors import DataError
from samples.evaluation import measured_figures, ranking_figures
from samples.paddle_checkpoint import write_paddle_checkpoint
from samples.paths import SAMPLE_DATA
from samples.real.real_data import training_texts
from samples.real.splits import HELD_OUT_FILE
from samples.recipes import SampleRecipe, sample_recipe

CHECKPOINT_FORMATS = ("transformers", "paddlenlp")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTraining:
    """Settings of one training.

    Attributes:
        sample: name of the sample task.
        data: folder with its train.json and dev.json.
        vocab: the vocabulary file.
        output: the checkpoint to write.
        format: one of `CHECKPOINT_FORMATS`.
        seed: decides weights, order, dropout and variations.
        epochs: instead of the recipe's; None keeps them.
        train_lines: train on so many lines of each source, the first ones; None means all.
        base: a checkpoint to begin with; None for the recipe's tiny model.
        teacher: a checkpoint to learn from, where the recipe says so.
        texts: the folder that `real` wrote, where the recipe names data sets of it.
    """

    sample: str
    data: Path
    vocab: Path
    output: Path
    format: str
    seed: int
    epochs: int | None = None
    train_lines: int | None = None
    base: Path | None = None
    teacher: Path | None = None
    texts: Path | None = None


def train_sample(wanted: SampleTraining) -> dict[str, object]:
    """Train, save, measure what was saved on the held-out or dev lines, and write training.json.

    Returns:
        What training.json says.

    Raises:
        ErnieTritonError: data or vocabulary are missing or malformed, the output folder holds
            files, or a package of the extra `train` is missing.
    """
    import_torch()
    check_free(wanted.output)
    recipe = sample_recipe(wanted.sample)
    data = _training_data(wanted, recipe)
    if recipe.has_teacher:
        _distil(wanted, _limited(recipe, wanted.train_lines), data)
        return _record(wanted, recipe, data)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = wanted.base or write_tiny_base(
            recipe.model, wanted.vocab, folder / "base", seed=wanted.seed
        )
        run = _Run(wanted=wanted, recipe=recipe, data=data, folder=folder)
        if recipe.easy_share:
            base = run.trained_on_easy_pairs(base)
        is_paddle = wanted.format == "paddlenlp"
        trained = folder / "trained" if is_paddle else wanted.output
        run.train(base, trained, _varied(run), epochs=wanted.epochs)
        if is_paddle:
            write_paddle_checkpoint(trained, wanted.output, task=recipe.task, half=recipe.half)
            for file in (TRAINING_FILE, CURVE_FILE):
                shutil.copyfile(trained / file, wanted.output / file)
        elif recipe.half:
            _halve(trained)
    return _record(wanted, recipe, data)


def _training_data(wanted: SampleTraining, recipe: SampleRecipe) -> DataSet:
    """Read the data, and add the lines of another task or of the grammar that the recipe wants."""
    data, most = read_dataset(recipe.task, wanted.data), wanted.train_lines
    train = data.train[:most]
    if recipe.also:
        train += read_dataset(recipe.task, SAMPLE_DATA / recipe.also).train[:most]
    for sample, count in recipe.drawn_lines.items():
        train += drawn_lines(sample, data, min(count, most or count), seed=wanted.seed)
    return dataclasses.replace(data, train=train)


def _distil(wanted: SampleTraining, recipe: SampleRecipe, data: DataSet) -> None:
    """Let the recipe's tiny model learn from a teacher.

    Raises:
        DataError: no teacher is given, or no texts, or another format is wanted.
    """
    if wanted.teacher is None or wanted.format == "paddlenlp":
        kind = "a base" if recipe.lessons else "a fine-tuned model"
        raise DataError(
            f"{wanted.sample} learns from {kind}, and is written for transformers; name it by "
            f"--teacher, with --format transformers"
        )
    names = recipe.lessons.texts if recipe.lessons else ()
    if names and wanted.texts is None:
        raise DataError(
            f"{wanted.sample} learns from texts of {' and '.join(names)} too; name by "
            f"--texts the folder that `python -m samples real` wrote"
        )
    others = [text for name in names for text in training_texts(Path(wanted.texts or ""), name)]
    values = _values(recipe, epochs=wanted.epochs, seed=wanted.seed)
    schedule = recipe_for(data.name, has_weights=False, given=values).schedule
    distilled(
        SampleDistillation(
            teacher=wanted.teacher,
            data=data,
            recipe=recipe,
            vocab=wanted.vocab,
            other_texts=others[: wanted.train_lines],
            schedule=schedule,
            output=wanted.output,
            work=wanted.output.with_name(f"{wanted.output.name}.work"),
            seed=wanted.seed,
        )
    )
    if recipe.half:
        _halve(wanted.output)


def _limited(recipe: SampleRecipe, lines: int | None) -> SampleRecipe:
    """Return a recipe whose lessons have so many lines at most."""
    if recipe.lessons is None or lines is None:
        return recipe
    fewer = dataclasses.replace(recipe.lessons, lines=min(recipe.lessons.lines, lines))
    return dataclasses.replace(recipe, lessons=fewer)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """The settings and the data of one training, for its fine-tunings."""

    wanted: SampleTraining
    recipe: SampleRecipe
    data: DataSet
    folder: Path

    def train(
        self, base: Path, output: Path, lines: Iterable[LabelledText], *, epochs: int | None
    ) -> None:
        """Fine-tune a base on lines, and keep the last weights."""
        train_file = self.folder / f"{output.name}_train.json"
        content = plain_content(dataclasses.replace(self.data, dev=tuple(lines)))
        train_file.write_text(content, encoding="utf-8")
        finetune(
            FineTuning(
                task=self.recipe.task,
                checkpoint=base,
                data=self.wanted.data,
                output=output,
                dataset=self.data.name,
                train_file=train_file,
                given=_values(self.recipe, epochs=epochs, seed=self.wanted.seed),
            ),
            _note,
        )

    def trained_on_easy_pairs(self, base: Path) -> Path:
        """Fine-tune a base on one pass over easy pairs; returns the new base."""
        recipe = self.recipe
        epochs = self.wanted.epochs or recipe.schedule.epochs or 1
        lines = len(self.data.train) * recipe.variation.copies * epochs
        count = max(1, round(recipe.easy_share * lines))
        easy = easy_pairs(self.data, count, Random(f"easy/{self.wanted.seed}"))
        output = self.folder / "easy"
        self.train(base, output, easy, epochs=1)
        return output


def _values(recipe: SampleRecipe, *, epochs: int | None, seed: int) -> dict[str, object]:
    """Return a recipe's hyper-parameters, over the defaults of fine-tuning."""
    more = {"epochs": epochs} if epochs is not None else {}
    return {
        **recipe.schedule.given(),
        **more,
        "max_length": recipe.max_length,
        "seed": seed,
        "precision": "fp32",
        "keep_best": False,
    }


def _varied(run: _Run) -> Iterable[LabelledText]:
    return varied_lines(run.data, run.recipe.variation, Random(f"varied/{run.wanted.seed}"))


def _record(wanted: SampleTraining, recipe: SampleRecipe, data: DataSet) -> dict[str, object]:
    """Measure the checkpoint, and put the figures and the recipe into its training.json."""
    path = wanted.output / TRAINING_FILE
    made: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    print(f"trained in {made['seconds']} s; measuring {wanted.output}", file=sys.stderr)
    settings = dataclasses.asdict(recipe)
    del settings["schedule"]
    splits = [wanted.data / "dev.json"]
    if (wanted.data / HELD_OUT_FILE).is_file():
        ours = SAMPLE_DATA / (recipe.also or wanted.sample) / "dev.json"
        splits = [wanted.data / HELD_OUT_FILE, *([ours] if ours.is_file() else [])]
    record = {
        "task": wanted.sample,
        **{
            f"{split.stem}_{name}": value
            for split in splits
            for name, value in measured_figures(wanted.sample, wanted.output, split).items()
        },
        **ranking_figures(recipe, wanted.output),
        "train_lines": len(data.train),
        "parameters": made["parameters"],
        "recipe": settings,
        "schedule": made["schedule"],
        "seed": wanted.seed,
        "training_s": made["seconds"],
        "versions": made["versions"],
    }
    path.write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return record


def _halve(folder: Path) -> None:
    """Write the weights of a checkpoint's files in FP16."""
    import torch

    path = folder / SAFETENSORS_FILE
    weights = {name: array.astype(np.float16) for name, array in load_file(path).items()}
    write_safetensors(weights, path)
    for file in TOKEN_HEAD_FILES.values():
        if (folder / file).is_file():
            arrays = torch.load(folder / file, weights_only=True)
            torch.save({name: one.half() for name, one in arrays.items()}, folder / file)


def _note(line: str) -> None:
    print(line, file=sys.stderr)
