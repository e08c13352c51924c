"""Let a tiny student learn a large teacher's scores of training texts and of new ones."""

import dataclasses
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.build.torch_models.checkpoints import load_model, load_tokenizer, save_model
from ernie_triton.tokenizer.vocabulary import TOKENIZER_JSON
from ernie_triton.training.compression.preparation import PreparedModel, prepared_model
from ernie_triton.training.compression.slim.rows import RowMaker, SoftScoreTraining
from ernie_triton.training.compression.slim.soft_scores import teacher_scorer
from ernie_triton.training.datasets import DataSet
from ernie_triton.training.finetune.finetuning import TRAINING_FILE, training_versions
from ernie_triton.training.loop.schedule import Schedule
from ernie_triton.training.loop.training import TrainingResult, train
from ernie_triton.training.tasks import Features, TrainingTask, training_task
from samples.bases import WIDE_DEVIATION, look_at_neighbours
from samples.distillation.near_words import NearWords
from samples.distillation.new_texts import new_texts, short_texts
from samples.distillation.ngrams import RunScorer
from samples.distillation.students import narrowed, places_in, write_student_base
from samples.recipes import SampleRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleDistillation:
    """One distillation.

    Attributes:
        teacher: a fine-tuned checkpoint of pieces.
        data: of its task.
        recipe: of the sample.
        schedule: of the student's training.
        output: the checkpoint to write.
        work: folder from which a killed run goes on.
        seed: decides new texts and weights.
    """

    teacher: Path
    data: DataSet
    recipe: SampleRecipe
    schedule: Schedule
    output: Path
    work: Path
    seed: int


def distilled(wanted: SampleDistillation) -> TrainingResult:
    """Train a student and write it as a checkpoint.

    Raises:
        ErnieTritonError: the teacher does not fit the data, or has no pieces.
    """
    recipe, given = wanted.recipe, [line.texts[0] for line in wanted.data.train]
    random = Random(f"distilled/{wanted.seed}")
    texts = given + sorted(set(new_texts(given, recipe.variation.copies, random)) - set(given))
    teacher = prepared_model(wanted.teacher, wanted.data, max_length=recipe.max_length)
    parts = [texts, _short_texts(teacher, given, recipe, wanted.seed)]
    scores = np.concatenate(
        [teachers_scores(teacher, part, wanted.work / "scores") for part in parts if part]
    )
    texts = [text for part in parts for text in part]
    if recipe.runs_weight:
        labels = [int(str(line.target)) for line in wanted.data.train]
        runs = RunScorer(given, labels, len(wanted.data.outputs), wanted.seed)
        scores = scores + recipe.runs_weight * runs.scores(texts)
    base = wanted.work / "base"
    if not (base / "config.json").is_file():
        write_student_base(wanted.teacher, given, recipe.model, base, pieces=recipe.pieces)
    student = tiny_student(base, teacher.model, wanted)
    own = training_task(
        wanted.data,
        load_tokenizer(base, max_length=recipe.max_length),
        max_length=recipe.max_length,
    )
    rows = [
        {**row, "labels": score}
        for row, score in zip(RowMaker(own).plain_rows(texts), scores, strict=True)
    ]
    if recipe.variation.hidden_share:
        rows += _with_hidden_pieces(rows, own, recipe.variation.hidden_share, wanted.seed)
    print(f"{len(texts)} texts to learn from", file=sys.stderr)
    result = train(
        student,
        wanted.data,
        SoftScoreTraining(own, rows, temperature=recipe.temperature),
        wanted.schedule,
        wanted.work / "training",
        signature=f"distilled, temperature {recipe.temperature}",
        name="distilled",
    )
    record = {
        "parameters": sum(weights.numel() for weights in student.parameters()),
        "schedule": dataclasses.asdict(wanted.schedule),
        "seconds": round(result.seconds, 1),
        "texts": len(texts),
        "versions": training_versions(),
    }
    files = {TRAINING_FILE: json.dumps(record).encode("utf-8")}
    save_model(student, wanted.output, tokenizer_from=base, more_files=files)
    shutil.rmtree(wanted.work)
    return result


def _short_texts(
    teacher: PreparedModel, given: Sequence[str], recipe: SampleRecipe, seed: int
) -> list[str]:
    """Make short texts, with words that the given ones need not have."""
    random = Random(f"short/{seed}")
    short = list(short_texts(given, recipe.variation.short_copies, random))
    if not short:
        return []
    embeddings: Any = teacher.model.get_input_embeddings()
    document = (teacher.checkpoint / TOKENIZER_JSON).read_text(encoding="utf-8")
    words = NearWords(document, embeddings.weight.detach().numpy())
    found = set(words.exchanged(short, recipe.variation.exchanged_share, random))
    return sorted(found - {"", *given})


def teachers_scores(teacher: PreparedModel, texts: Sequence[str], folder: Path) -> Float32:
    """Let a teacher score texts, float32 [texts, labels]; the folder keeps what is done."""
    rows = list(RowMaker(teacher.task).plain_rows(texts))
    order = np.argsort([len(row["input_ids"]) for row in rows], kind="stable")
    scorer = teacher_scorer(teacher.checkpoint, teacher.model, teacher.task, folder)
    found = scorer.scores([rows[place] for place in order])
    scores = np.empty_like(found)
    scores[order] = found
    return scores


def _with_hidden_pieces(
    rows: Sequence[Features], task: TrainingTask, share: float, seed: int
) -> list[Features]:
    """Copy rows with a share of their pieces unknown, so that no single one decides."""
    random = np.random.default_rng(seed)
    unknown = np.int32(task.tokenizer.vocabulary.unknown_id)
    copies = []
    for row in rows:
        hidden = random.random(len(row["input_ids"])) < share
        hidden[[0, -1]] = False
        ids = np.where(hidden, unknown, row["input_ids"])
        copies.append({**row, "input_ids": ids})
    return copies


def tiny_student(
    base: Path, teacher: "PreTrainedModel", wanted: SampleDistillation
) -> "PreTrainedModel":
    """Make a student of random weights, but for the teacher's word vectors, narrowed."""
    data, seed = wanted.data, wanted.seed
    student = load_model(base, task=data.task, labels=data.outputs, seed=seed)
    theirs: Any = teacher.get_input_embeddings()
    kept = places_in(base, wanted.teacher)
    vectors = narrowed(theirs.weight.detach().numpy()[kept], wanted.recipe.model.hidden)
    # These arrays share the memory of the weights.
    encoder: Any = student.base_model
    weights = {name: one.detach().numpy() for name, one in encoder.named_parameters()}
    table = weights["embeddings.word_embeddings.weight"]
    table[:, : vectors.shape[1]] = vectors * (WIDE_DEVIATION / vectors.std())
    if wanted.recipe.model.neighbours:
        look_at_neighbours(weights, wanted.recipe.model, seed)
    return student
