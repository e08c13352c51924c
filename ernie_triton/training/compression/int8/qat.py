"""Quantisation-aware fine-tuning: train a model whose weights bear rounding.

The forward pass computes in rounded numbers (`fake_quantization`). Training changes the weights
before rounding, and writes a plain checkpoint. The model learns from the labels and from its own
answers in full precision before training (as in arxiv.org/abs/1711.05852).
"""

import copy
from collections.abc import Mapping
from pathlib import Path

from ernie_triton.build.torch_models.checkpoints import save_model
from ernie_triton.training.compression.int8.fake_quantization import rounding
from ernie_triton.training.compression.int8.folder import RoundedTraining
from ernie_triton.training.compression.objectives.objectives import AnswerObjective, LossWeights
from ernie_triton.training.compression.objectives.teacher import Teacher
from ernie_triton.training.compression.preparation import prepared_model
from ernie_triton.training.datasets import DataSet
from ernie_triton.training.loop.schedule import Schedule
from ernie_triton.training.loop.training import train

WEIGHTS = LossWeights(answers=0.5, labels=0.5, temperature=1.0)
"""Answers and labels alone count, since rounding itself moves all inner vectors."""


def fine_tune_rounded(
    checkpoint: Path,
    data: DataSet,
    output: Path,
    schedule: Schedule,
    scales: Mapping[str, float],
    *,
    max_length: int,
    work: Path,
) -> RoundedTraining:
    """Fine-tune a checkpoint with every quantisable layer rounded, and write the result.

    Args:
        checkpoint: a fine-tuned model.
        data: its task's data.
        output: folder to make, a plain checkpoint.
        schedule: hyper-parameters.
        scales: fixed input scales of linear layers, by their names in the graph.
        max_length: most tokens of a row.
        work: folder from which a killed run resumes.

    Raises:
        CheckpointError: the model cannot be trained.
        TrainingError: the training fails.
        MissingExtraError: torch, transformers or accelerate is not installed.
    """
    given = prepared_model(checkpoint, data, max_length=max_length)
    model = given.model
    teacher = Teacher(copy.deepcopy(model), data.task)
    with rounding(model, scales, pair=data.pair):
        before = given.points_of(model)
        result = train(
            model,
            data,
            given.task,
            schedule,
            work,
            loss=AnswerObjective(teacher, given.task, WEIGHTS),
            signature=f"rounded {sorted(scales.items())} {WEIGHTS}",
            name="fine-tuning with rounding",
        )
    save_model(model, output, tokenizer_from=checkpoint)
    return RoundedTraining(
        epochs=schedule.epochs,
        learning_rate=schedule.learning_rate,
        seconds=result.seconds,
        before=before,
        after=result.points,
    )
