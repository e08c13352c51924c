"""The texts that a student learns from, and the scores that it is to give them.

Scores are a fine-tuned teacher's. Or, with lessons, they come from a base that knows no task: a
linear model over its vectors learns drawn lines of all topics and of none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from ernie_triton.arrays import Float32
from ernie_triton.tokenizer.vocabulary import TOKENIZER_JSON
from ernie_triton.training.compression.preparation import PreparedModel, prepared_model
from ernie_triton.training.compression.slim.rows import RowMaker
from ernie_triton.training.compression.slim.soft_scores import teacher_scorer
from samples.distillation.near_words import NearWords
from samples.distillation.new_texts import new_texts, short_cuts, short_texts
from samples.distillation.ngrams import RunScorer
from samples.distillation.request import SampleDistillation
from samples.distillation.vectors import LinearScorer, text_vectors
from samples.errors import DataError
from samples.generators.topics import NO_TOPIC, TOPIC_LESSONS
from samples.recipes import Lessons, SampleRecipe
from samples.splits import draw_lines

_LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Texts, and the scores to learn, float32 [texts, labels]."""

    texts: list[str]
    scores: Float32


def teachers_targets(wanted: SampleDistillation) -> Targets:
    """Let a fine-tuned teacher score the training texts and new ones, made of these.

    Raises:
        CheckpointError: the teacher has another task or other labels.
    """
    data, recipe = wanted.data, wanted.recipe
    given = [line.texts[0] for line in data.train]
    random = Random(f"distilled/{wanted.seed}")
    texts = given + sorted(set(new_texts(given, recipe.variation.copies, random)) - set(given))
    teacher = prepared_model(wanted.teacher, data, max_length=recipe.max_length)
    parts = [texts, _short_texts(teacher, given, recipe, wanted.seed)]
    scores = np.concatenate(
        [_teachers_scores(teacher, part, wanted.work / "scores") for part in parts if part]
    )
    texts = [text for part in parts for text in part]
    if recipe.runs_weight:
        labels = [int(str(line.target)) for line in data.train]
        runs = RunScorer(given, labels, len(data.outputs), wanted.seed)
        scores = scores + recipe.runs_weight * runs.scores(texts)
    return Targets(texts=texts, scores=scores)


def lessons_targets(wanted: SampleDistillation, lessons: Lessons) -> Targets:
    """Let a linear model over a base's vectors score training titles, drawn lines and other texts.

    The model learns the titles and the lines, with one more label for what has no topic. The
    probability of that label is shared out evenly: such a text may have any topic.

    Raises:
        CheckpointError: the folder does not hold an encoder.
        DataError: the data have other labels than the drawn lines.
    """
    data = wanted.data
    classes = [label.name for label in TOPIC_LESSONS.labels]
    if classes != [*data.outputs, NO_TOPIC.name]:
        raise DataError(
            f"{data.train_path} has the labels {', '.join(data.outputs)}; expected "
            f"{', '.join(classes[:-1])}"
        )
    known_texts, labels = _labelled(wanted, lessons, classes)
    random = Random(f"cuts/{wanted.seed}")
    avoided = {*known_texts, *(line.texts[0] for line in data.dev)}
    texts = known_texts + sorted(set(short_cuts(wanted.other_texts, random)) - avoided)
    vectors = text_vectors(
        wanted.teacher, texts, max_length=wanted.recipe.max_length, kept=wanted.work
    )
    scorer = LinearScorer(vectors[: len(labels)], labels, len(classes))
    probabilities = _softmax(scorer.scores(vectors))
    probabilities[: len(labels)] *= 1.0 - lessons.label_share
    probabilities[np.arange(len(labels)), labels] += lessons.label_share
    shared = probabilities[:, :-1] + probabilities[:, -1:] / len(data.outputs)
    scores = np.log(shared.clip(min=_LEAST_PROBABILITY)).astype(np.float32)
    titles, copies = len(data.train), lessons.title_copies
    return Targets(
        texts=texts[:titles] * (copies - 1) + texts,
        scores=np.concatenate([*[scores[:titles]] * (copies - 1), scores]),
    )


def _labelled(
    wanted: SampleDistillation, lessons: Lessons, classes: list[str]
) -> tuple[list[str], list[int]]:
    """Return the training titles and drawn lines, and the numbers of their classes."""
    data = wanted.data
    taken = frozenset(line.texts[0] for line in (*data.train, *data.dev))
    random = Random(f"lessons/{wanted.seed}")
    drawn = draw_lines(TOPIC_LESSONS.make_drawer(), lessons.lines, random, taken)
    texts = [line.texts[0] for line in data.train] + [one.sentences[0] for one in drawn]
    labels = [int(str(line.target)) for line in data.train]
    labels += [classes.index(str(one.to_json()["label_desc"])) for one in drawn]
    return texts, labels


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


def _teachers_scores(teacher: PreparedModel, texts: list[str], folder: Path) -> Float32:
    """Let a teacher score texts, float32 [texts, labels]; the folder keeps what is done."""
    rows = list(RowMaker(teacher.task).plain_rows(texts))
    order = np.argsort([len(row["input_ids"]) for row in rows], kind="stable")
    scorer = teacher_scorer(teacher.checkpoint, teacher.model, teacher.task, folder)
    found = scorer.scores([rows[place] for place in order])
    scores = np.empty_like(found)
    scores[order] = found
    return scores


def _softmax(scores: Float32) -> Float32:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: Float32 = powers / powers.sum(axis=1, keepdims=True)
    return found
