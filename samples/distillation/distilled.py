"""Let a tiny student learn a large teacher's scores of training texts and of others."""

import dataclasses
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ernie_triton.build.torch_models.checkpoints import load_tokenizer, save_model
from ernie_triton.training.compression.slim.rows import RowMaker, SoftScoreTraining
from ernie_triton.training.finetune.finetuning import TRAINING_FILE, training_versions
from ernie_triton.training.loop.training import TrainingResult, train
from ernie_triton.training.tasks import Features, TrainingTask, training_task
from samples.bases import write_unweighted_base
from samples.distillation.request import SampleDistillation
from samples.distillation.students import centre_scores, tiny_student, write_student_base
from samples.distillation.targets import lessons_targets, teachers_targets
from samples.recipes import SampleRecipe


def distilled(wanted: SampleDistillation) -> TrainingResult:
    """Train a student and write it as a checkpoint.

    Raises:
        ErnieTritonError: the teacher does not fit the data, or has no pieces.
    """
    recipe, lessons = wanted.recipe, wanted.recipe.lessons
    targets = lessons_targets(wanted, lessons) if lessons else teachers_targets(wanted)
    base = _student_base(wanted)
    student = tiny_student(base, wanted)
    own = training_task(
        wanted.data,
        load_tokenizer(base, max_length=recipe.max_length),
        max_length=recipe.max_length,
    )
    rows: list[Features] = [
        {**row, "labels": score}
        for row, score in zip(RowMaker(own).plain_rows(targets.texts), targets.scores, strict=True)
    ]
    if recipe.variation.hidden_share:
        rows += _with_hidden_pieces(rows, own, recipe, wanted.seed)
    print(f"{len(targets.texts)} texts to learn from", file=sys.stderr)
    result = train(
        student,
        wanted.data,
        SoftScoreTraining(own, rows, temperature=recipe.temperature),
        wanted.schedule,
        wanted.work / "training",
        signature=f"distilled, temperature {recipe.temperature}",
        name="distilled",
    )
    centre_scores(student, own)
    record = {
        "parameters": sum(weights.numel() for weights in student.parameters()),
        "schedule": dataclasses.asdict(wanted.schedule),
        "seconds": round(result.seconds, 1),
        "texts": len(targets.texts),
        "versions": training_versions(),
    }
    files = {TRAINING_FILE: json.dumps(record).encode("utf-8")}
    save_model(student, wanted.output, tokenizer_from=base, more_files=files)
    shutil.rmtree(wanted.work)
    return result


def _student_base(wanted: SampleDistillation) -> Path:
    """Write the student's sizes and vocabulary, unless a killed run has done so."""
    base, recipe = wanted.work / "base", wanted.recipe
    if (base / "config.json").is_file():
        return base
    if not recipe.pieces:
        return write_unweighted_base(recipe.model, wanted.vocab, base)
    given = [line.texts[0] for line in wanted.data.train]
    return write_student_base(wanted.teacher, given, recipe.model, base, pieces=recipe.pieces)


def _with_hidden_pieces(
    rows: Sequence[Features], task: TrainingTask, recipe: SampleRecipe, seed: int
) -> list[Features]:
    """Copy rows with a share of their pieces unknown, so that no single one decides.

    In some copies that lessons ask for, the unknown ones are those that traditional writing lacks:
    the student knows few of the characters that it has instead.
    """
    copies, traditional_share = 1, 0.0
    if recipe.lessons:
        copies, traditional_share = recipe.lessons.hidden_copies, recipe.lessons.traditional_share
    random = np.random.default_rng(seed)
    vocabulary = task.tokenizer.vocabulary
    unknown = np.int32(vocabulary.unknown_id)
    simplified = np.array([_is_simplified(name) for name in vocabulary.names()])
    found = []
    for row in [*rows] * copies:
        ids = row["input_ids"]
        if traditional_share and random.random() < traditional_share:
            hidden = simplified[ids]
        else:
            hidden = random.random(len(ids)) < recipe.variation.hidden_share
            hidden[[0, -1]] = False
        found.append({**row, "input_ids": np.where(hidden, unknown, ids)})
    return found


def _is_simplified(piece: str) -> bool:
    """Tell whether a piece has a character that Big5 lacks, the set of traditional writing."""
    return any("\u4e00" <= one <= "\u9fff" and not one.encode("big5", "ignore") for one in piece)
